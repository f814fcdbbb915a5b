//! A box with a panel, a witness of its key log, and the people around it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::binary::centralita;
use e2e::eventually;
use e2e::folder::Folder;
use e2e::hotline::{BEEP_HZ, Hotline, INVITATION_HZ, THANKS_HZ};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::Plan;
use e2e::voice::Voice;
use life::{Client, Invitation, Wire};
use protocol::{API_ROOT, HubList, Id, Role, ServerFacts, VoicemailView};

/// Everybody's PIN. It must be found nowhere.
pub const PIN: &str = "739184-Kerbel";
const WITHIN: Duration = Duration::from_secs(60);
const CALLER_HZ: u32 = 440;
/// How long a message is, in seconds.
pub const MESSAGE_S: u64 = 3;
/// Characters of the first admin's code, with its dashes.
const CODE_CHARS: usize = 34;
const PORT: u16 = 8443;

/// A partner's witness.
struct Witness {
    process: Child,
    key: String,
    url: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A box with a hotline called `night`.
pub struct Place {
    pub net: Net,
    pub server: Server,
    witness: Option<Witness>,
    people: Folder,
}

impl Place {
    /// Nobody has come in yet; `log_level` is for `RUST_LOG`.
    pub fn start(log_level: &'static str) -> Self {
        let net = Net::new();
        let hotline = Hotline::new(net, &["ana"]);
        let mut server = Server::start_logging(&hotline, log_level);
        let people = Folder::new();
        // The partner needs the key that the first start makes.
        let witness = witness(&people, &log_key(&server));
        server.terminate();
        assert!(server.wait_exit().success());
        server.apply(&hotline.witness(&format!("{} {}", witness.key, witness.url)));
        server.run();
        Self {
            net,
            server,
            witness: Some(witness),
            people,
        }
    }

    /// The same, but nobody confirms the key log.
    pub fn unwitnessed() -> Self {
        let net = Net::new();
        let hotline = Hotline::new(net, &["ana"]);
        Self {
            net,
            server: Server::start(&hotline),
            witness: None,
            people: Folder::new(),
        }
    }

    /// What a person is told of the server by somebody whom they trust.
    pub fn told(&self) -> life::Server {
        let authority = self.server.data().join("tls/authority.pem");
        let origin = format!("https://{}:{PORT}", self.net.server());
        let ca_pem = eventually("the server's authority", WITHIN, || {
            std::fs::read_to_string(&authority).ok()
        });
        let wire = Wire::new(&origin, &ca_pem).unwrap();
        let facts = wire.send("GET", &format!("{API_ROOT}/server"), &[], &[]);
        let facts: ServerFacts = facts.unwrap().json().unwrap();
        // What the operator reads at the machine is what devices are told.
        assert_eq!(facts.log, log_key(&self.server));
        let witness = self.witness.iter().map(|witness| &witness.key);
        assert!(facts.witnesses.iter().eq(witness));
        assert_eq!(facts.origin, origin);
        life::Server {
            origin,
            ca_pem,
            log_key: facts.log,
            witnesses: facts.witnesses,
            ingest: facts.ingest.unwrap(),
        }
    }

    /// What the server printed for the first admin.
    pub fn code(&self) -> String {
        eventually("the code of the first admin", WITHIN, || {
            let said = self.server.said();
            let lines = said.lines().map(str::trim);
            let mut codes = lines.filter(|line| line.len() == CODE_CHARS && !line.contains(' '));
            // A box with a witness was started twice, and the second code is good.
            let void = usize::from(self.witness.is_some());
            codes.nth(void).map(str::to_owned)
        })
    }

    /// A path among what people keep for themselves.
    pub fn at(&self, name: &str) -> String {
        let path = self.people.join(name);
        path.to_str()
            .expect("the folders of tests are UTF-8")
            .to_owned()
    }

    /// What the program says to somebody at a machine that is not the box.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(centralita());
        let nowhere = self.people.join("no-data-folder");
        let output = command.arg("--data").arg(nowhere).args(arguments).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// An empty folder for a device.
    pub fn folder(&self, name: &str) -> life::Folder {
        life::Folder::new(&self.people.join(name)).unwrap()
    }

    /// The first admin, whose hub has begun.
    pub fn first_admin(&self, name: &str) -> (Client, Id) {
        let folder = self.folder(name);
        let admin = Client::bootstrap(folder, self.told(), &self.code(), PIN, name);
        let mut admin = admin.unwrap();
        let hubs: HubList = admin.get("/hubs").unwrap();
        let hub = hubs.hubs.iter().find(|hub| hub.name == "night").unwrap().id;
        admin.begin_hub(hub).unwrap();
        (admin, hub)
    }

    /// Somebody calls from this number and leaves a message.
    pub fn leave_a_message(&self, admin: &mut Client, hub: Id, caller: &str) -> VoicemailView {
        let voice = Voice::start(self.net.trunk(), CALLER_HZ);
        let mut caller = Plan::caller("caller", self.net, caller)
            .set("audio_port", &voice.port())
            .set("play", "")
            .set("hold_ms", "40000")
            .start(self.net);
        voice.wait_hears(INVITATION_HZ, 0.7);
        voice.wait_hears(BEEP_HZ, 0.2);
        std::thread::sleep(Duration::from_secs(MESSAGE_S));
        voice.press('#');
        voice.wait_hears(THANKS_HZ, 0.7);
        caller.succeeds();
        eventually("the message in the admin's list", WITHIN, || {
            let messages = admin.voicemails(hub).unwrap();
            messages.into_iter().find(|message| message.complete)
        })
    }

    /// Somebody whom the admin invites; they have come in and were not taken in yet.
    pub fn invited(&self, invitation: &Invitation, name: &str) -> Client {
        Client::redeem(self.folder(name), invitation, PIN, name).unwrap()
    }

    /// A new member in this role.
    pub fn member(
        &self,
        admin: &mut Client,
        hub: Id,
        role: Role,
        number: u16,
        name: &str,
    ) -> Client {
        let invitation = admin.invite(hub, role).unwrap();
        let member = self.invited(&invitation, name);
        admin.admit(hub, member.user(), number).unwrap();
        member
    }
}

/// The public key of the log, as the operator passes it on.
fn log_key(server: &Server) -> String {
    let told = server.say(&["keys"]);
    let mut lines = told.lines().map(str::trim);
    let key = lines.find(|line| line.contains("/keys+")).unwrap();
    key.to_owned()
}

fn witness(folder: &Folder, log_key: &str) -> Witness {
    let mut process = Command::new(centralita())
        .arg("--data")
        .arg(folder.join("partner"))
        .args(["witness", "--name", "partner.example", "--log", log_key])
        .args(["--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut key, mut url) = (None, None);
    for line in lines.map_while(Result::ok) {
        if line.starts_with("partner.example+") {
            key = Some(line);
        } else if let Some((_, rest)) = line.split_once("Listens on ") {
            url = rest.split_once(',').map(|(url, _)| url.to_owned());
            break;
        }
    }
    Witness {
        process,
        key: key.unwrap(),
        url: url.unwrap(),
    }
}
