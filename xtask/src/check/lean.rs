//! What is below the cryptography that devices run: one version of everything, and no C.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{array, text};

/// Crates whose base feature set stays lean.
const LEAN: [&str; 3] = ["crypto", "crypto-session", "crypto-wasm"];

/// What a build script compiles or finds C with.
const C_TOOLS: [&str; 6] = ["bindgen", "cc", "cmake", "nasm-rs", "pkg-config", "vcpkg"];

/// Crates that are named like a C library's and have none.
const WITHOUT_C: [&str; 1] = ["js-sys"];

/// Demands of each lean crate that nothing below it is there twice or has C code.
pub(super) fn check(metadata: &Value, problems: &mut Vec<String>) {
    let graph = Graph::new(metadata);
    for root in LEAN {
        let Some(below) = graph.below(root) else {
            problems.push(format!("{root}: cargo metadata does not know it"));
            continue;
        };
        twice(root, &below, problems);
        for package in below {
            let name = text(&package["name"]);
            if name.ends_with("-sys") && !WITHOUT_C.contains(&name) {
                problems.push(format!("{root} has C code below it: {name}"));
            }
            let built_with = array(&package["dependencies"]).filter(|it| it["kind"] == "build");
            for tool in built_with.map(|it| text(&it["name"])) {
                if C_TOOLS.contains(&tool) && graph.uses(package, tool) {
                    problems.push(format!(
                        "{root} has C code below it: {name} builds with {tool}"
                    ));
                }
            }
        }
    }
}

/// Two versions of one primitive are twice the code to trust.
fn twice(root: &str, below: &[&Value], problems: &mut Vec<String>) {
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for package in below {
        let of = versions.entry(text(&package["name"])).or_default();
        of.insert(text(&package["version"]));
    }
    for (name, versions) in versions {
        if versions.len() > 1 {
            let versions: Vec<_> = versions.into_iter().collect();
            let versions = versions.join(" and ");
            problems.push(format!("{root} has {name} below it twice: {versions}"));
        }
    }
}

/// Packages and what cargo chose for each of their dependencies.
struct Graph<'a> {
    packages: BTreeMap<&'a str, &'a Value>,
    nodes: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Self {
        let by_id = |list: &'a Value| array(list).map(|it| (text(&it["id"]), it)).collect();
        Self {
            packages: by_id(&metadata["packages"]),
            nodes: by_id(&metadata["resolve"]["nodes"]),
        }
    }

    /// A crate of ours and what runs with it on any platform: not what tests, build scripts and
    /// the compiler's own extensions use.
    fn below(&self, root: &str) -> Option<Vec<&'a Value>> {
        let root = self.packages.values().find(|package| {
            // The registry may have a crate of the same name.
            text(&package["name"]) == root && package["source"].is_null()
        })?;
        let mut found = BTreeMap::new();
        let mut waiting = vec![text(&root["id"])];
        while let Some(id) = waiting.pop() {
            let package = *self.packages.get(id)?;
            let mut kinds = array(&package["targets"]).flat_map(|target| array(&target["kind"]));
            if kinds.any(|kind| kind == "proc-macro") || found.insert(id, package).is_some() {
                continue;
            }
            waiting.extend(self.chosen(id, |kind| kind.is_null()));
        }
        Some(found.into_values().collect())
    }

    /// Whether the features that are on have a package built with `tool`.
    fn uses(&self, package: &Value, tool: &str) -> bool {
        let mut chosen = self.chosen(text(&package["id"]), |kind| kind == "build");
        chosen.any(|id| self.packages.get(id).is_some_and(|it| it["name"] == tool))
    }

    fn chosen(&self, id: &str, of: fn(&Value) -> bool) -> impl Iterator<Item = &'a str> {
        let chosen = self.nodes.get(id).into_iter();
        let chosen = chosen.flat_map(|node| array(&node["deps"]));
        chosen
            .filter(move |it| array(&it["dep_kinds"]).any(|kind| of(&kind["kind"])))
            .map(|it| text(&it["pkg"]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a package uses, by id and kind.
    type Uses<'a> = &'a [(&'a str, Option<&'a str>)];
    /// A package's name, its version, and what it uses.
    type Package<'a> = (&'a str, &'a str, Uses<'a>);

    fn metadata(packages: &[Package<'_>]) -> Value {
        let ours = LEAN.map(|name| (name, "1.0.0", &[("hash 2.0.0", None)][..]));
        let all: Vec<_> = ours.iter().chain(packages).collect();
        let id = |name: &str, version: &str| format!("{name} {version}");
        let package = |(name, version, uses): &&Package<'_>| {
            let dependency = |(id, kind): &(&str, Option<&str>)| {
                let name = id.split(' ').next();
                json!({"name": name, "kind": kind})
            };
            let kind = if name.ends_with("derive") {
                "proc-macro"
            } else {
                "lib"
            };
            json!({
                "id": id(name, version), "name": name, "version": version, "source": null,
                "targets": [{"kind": [kind]}],
                "dependencies": uses.iter().map(dependency).collect::<Vec<_>>(),
            })
        };
        let node = |(name, version, uses): &&Package<'_>| {
            let dependency = |(id, kind): &(&str, Option<&str>)| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
            let deps: Vec<_> = uses.iter().map(dependency).collect();
            json!({"id": id(name, version), "deps": deps})
        };
        json!({
            "packages": all.iter().map(package).collect::<Vec<_>>(),
            "resolve": {"nodes": all.iter().map(node).collect::<Vec<_>>()},
        })
    }

    fn found(packages: &[Package<'_>]) -> Vec<String> {
        let mut problems = Vec::new();
        check(&metadata(packages), &mut problems);
        problems
    }

    #[test]
    fn what_is_there_twice_or_has_c_is_found() {
        let twice = found(&[
            ("hash", "2.0.0", &[("hmac 1.0.0", None)]),
            ("hmac", "1.0.0", &[("hash 1.0.0", None)]),
            ("hash", "1.0.0", &[]),
        ]);
        assert_eq!(twice.len(), LEAN.len());
        let first = "crypto has hash below it twice: 1.0.0 and 2.0.0";
        assert_eq!(twice[0], first);
        let built = found(&[
            ("hash", "2.0.0", &[("cc 1.0.0", Some("build"))]),
            ("cc", "1.0.0", &[]),
        ]);
        let first = "crypto has C code below it: hash builds with cc";
        assert_eq!(built[0], first);
        let bound = found(&[
            ("hash", "2.0.0", &[("sodium-sys 1.0.0", None)]),
            ("sodium-sys", "1.0.0", &[]),
        ]);
        assert_eq!(bound[0], "crypto has C code below it: sodium-sys");
        let unknown = json!({"packages": [], "resolve": {"nodes": []}});
        let mut problems = Vec::new();
        check(&unknown, &mut problems);
        assert_eq!(problems.len(), LEAN.len());
    }

    #[test]
    fn what_only_builds_and_tests_use_is_nobody_s_concern() {
        let fine = found(&[
            (
                "hash",
                "2.0.0",
                &[
                    ("hash_derive 1.0.0", None),
                    ("hash 1.0.0", Some("dev")),
                    ("syn 1.0.0", Some("build")),
                    ("js-sys 1.0.0", None),
                ],
            ),
            (
                "hash_derive",
                "1.0.0",
                &[("syn 2.0.0", None), ("hash 1.0.0", None)],
            ),
            ("hash", "1.0.0", &[("openssl-sys 1.0.0", None)]),
            ("syn", "1.0.0", &[]),
            ("syn", "2.0.0", &[]),
            ("js-sys", "1.0.0", &[]),
            ("openssl-sys", "1.0.0", &[]),
        ]);
        assert_eq!(fine, [""; 0]);
    }
}
