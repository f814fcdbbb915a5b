//! `[[volunteer]]` and `[[group]]`.

use std::collections::{BTreeMap, BTreeSet};

use sip::digest::Algorithm;

use super::{Names, claim, is_plain, new_id, unknown};
use crate::hotline::model::{Digest, Volunteer};
use crate::hotline::problem::Problems;
use crate::hotline::secret::Secret;
use crate::hotline::section::{Section, Text};

/// Shorter passwords of phones are warned about: SIP digests can be tried offline.
const MIN_PASSWORD_CHARS: usize = 12;

pub(super) fn volunteers(
    root: &mut Section<'_>,
    realm: &str,
    names: &mut Names,
    p: &mut Problems,
) -> BTreeMap<String, Volunteer> {
    root.sections("volunteer", p)
        .into_iter()
        .filter_map(|section| volunteer(section, realm, names, p))
        .collect()
}

fn volunteer(
    mut section: Section<'_>,
    realm: &str,
    names: &mut Names,
    p: &mut Problems,
) -> Option<(String, Volunteer)> {
    let id = new_id(&mut section, "id", "volunteer", &mut names.people, p);
    let mut phones = BTreeMap::new();
    for phone in section.sections("phones", p) {
        phones.extend(account(phone, realm, names, p));
    }
    if !section.has("phones") {
        p.warn(
            section.span.clone(),
            format!("{} has no `phones` and cannot be rung. Add `phones = [{{ user = \"…\", password = \"…\" }}]`.", section.name),
        );
    }
    section.finish(p);
    Some((id?, Volunteer { phones }))
}

fn account(
    mut section: Section<'_>,
    realm: &str,
    names: &mut Names,
    p: &mut Problems,
) -> Option<(String, Digest)> {
    let user = section.required_text("user", "ana-desk", p);
    let password = section.text("password", p);
    let md5 = section.text("ha1_md5", p);
    let sha256 = section.text("ha1_sha256", p);
    let md5_only = section.flag("md5_only", false, p);
    let user = user.filter(|user| {
        section.name = format!("phone \"{}\"", user.value);
        section.span = user.span.clone();
        if !is_plain(user.value) {
            p.error(
                user.span.clone(),
                "`user` of a phone takes letters, digits, `-`, `_` and `.` only.",
            );
        }
        claim(&mut names.accounts, "phone user", user, p)
    });
    let digest = match (password, md5, sha256) {
        (Some(password), None, None) => user
            .as_ref()
            .map(|user| hashed(user.value, realm, &password, md5_only, p)),
        (None, Some(md5), Some(sha256)) if !md5_only => given(&md5, Some(&sha256), p),
        (None, Some(md5), None) if md5_only => given(&md5, None, p),
        _ => {
            p.error(
                section.span.clone(),
                format!(
                    "{} needs `password`, or else both `ha1_md5` and `ha1_sha256` (with `md5_only`, the first alone).",
                    section.name
                ),
            );
            None
        }
    };
    section.finish(p);
    Some((user?.value.to_owned(), digest?))
}

fn hashed(
    user: &str,
    realm: &str,
    password: &Text<'_>,
    md5_only: bool,
    p: &mut Problems,
) -> Digest {
    if password.value.is_empty() {
        p.error(
            password.span.clone(),
            "a phone needs a password. Write a long random one.",
        );
    } else if password.value.chars().count() < MIN_PASSWORD_CHARS {
        p.warn(
            password.span.clone(),
            format!("this password has fewer than {MIN_PASSWORD_CHARS} characters and could be guessed. Use a longer random one."),
        );
    }
    let secret = |algorithm: Algorithm| Secret::new(&algorithm.ha1(user, realm, password.value));
    Digest {
        md5: secret(Algorithm::Md5),
        sha256: (!md5_only).then(|| secret(Algorithm::Sha256)),
    }
}

fn given(md5: &Text<'_>, sha256: Option<&Text<'_>>, p: &mut Problems) -> Option<Digest> {
    let mut hex = |text: &Text<'_>, digits: usize| {
        let fits = text.value.len() == digits && text.value.chars().all(|c| c.is_ascii_hexdigit());
        if !fits {
            p.error(
                text.span.clone(),
                format!("this must be {digits} hex digits: the hash of `user:realm:password`."),
            );
        }
        fits.then(|| Secret::new(&text.value.to_ascii_lowercase()))
    };
    let (md5, sha256) = (hex(md5, 32), sha256.map(|sha256| hex(sha256, 64)));
    Some(Digest {
        md5: md5?,
        sha256: match sha256 {
            Some(sha256) => Some(sha256?),
            None => None,
        },
    })
}

pub(super) fn groups(
    root: &mut Section<'_>,
    volunteers: &BTreeMap<String, Volunteer>,
    names: &mut Names,
    p: &mut Problems,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups = BTreeMap::new();
    for mut section in root.sections("group", p) {
        let id = new_id(&mut section, "id", "group", &mut names.people, p);
        let members = section.texts("volunteers", p);
        if members.is_empty() {
            p.error(
                section.span.clone(),
                format!(
                    "{} has nobody in it. Add `volunteers = [\"…\"]`.",
                    section.name
                ),
            );
        }
        let members = known_names(&members, "volunteer", volunteers, p);
        section.finish(p);
        groups.extend(id.map(|id| (id, members)));
    }
    groups
}

/// The names in `texts`; those that `known` lacks are reported.
pub(super) fn known_names<V>(
    texts: &[Text<'_>],
    what: &str,
    known: &BTreeMap<String, V>,
    p: &mut Problems,
) -> BTreeSet<String> {
    for text in texts.iter().filter(|text| !known.contains_key(text.value)) {
        unknown(what, text.value, known.keys(), text.span.clone(), p);
    }
    texts.iter().map(|text| text.value.to_owned()).collect()
}
