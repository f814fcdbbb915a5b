//! A telephone made of one socket, for what has to happen at an exact moment:
//! the test sends every message and sees every message with its time.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::hotline::password;
use crate::net::{Net, SIP_PORT};

const WITHIN: Duration = Duration::from_secs(10);

/// A message that came in.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Which phone got it.
    pub phone: usize,
    /// When.
    pub at: Instant,
    /// The message.
    pub text: String,
}

impl Arrived {
    /// Whether it is a request of this method.
    #[must_use]
    pub fn is(&self, method: &str) -> bool {
        self.text
            .strip_prefix(method)
            .is_some_and(|rest| rest.starts_with(' '))
    }
}

/// Several phones whose messages arrive in one place.
pub struct Phones {
    phones: Vec<Phone>,
    arrivals: Receiver<Arrived>,
    outbox: Sender<Arrived>,
}

struct Phone {
    socket: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    user: String,
}

impl Phones {
    /// No phone yet.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "it is a place to plug in phones"
    )]
    pub fn new() -> Self {
        let (outbox, arrivals) = channel();
        Self {
            phones: Vec::new(),
            arrivals,
            outbox,
        }
    }

    /// Plugs in a phone; its number among them.
    pub fn plug_in(&mut self, net: Net, ip: IpAddr, user: &str) -> usize {
        let local = SocketAddr::new(ip, SIP_PORT);
        let socket = UdpSocket::bind(local).unwrap();
        let phone = self.phones.len();
        let (ears, outbox) = (socket.try_clone().unwrap(), self.outbox.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 4_096];
            while let Ok((length, _)) = ears.recv_from(&mut packet) {
                let at = Instant::now();
                let text = String::from_utf8_lossy(&packet[..length]).into_owned();
                if outbox.send(Arrived { phone, at, text }).is_err() {
                    return;
                }
            }
        });
        self.phones.push(Phone {
            socket,
            local,
            server: net.sip(),
            user: user.to_owned(),
        });
        phone
    }

    /// Sends a message.
    pub fn send(&self, phone: usize, text: &str) {
        let phone = &self.phones[phone];
        phone.socket.send_to(text.as_bytes(), phone.server).unwrap();
    }

    /// The next message to any of the phones.
    #[must_use]
    pub fn next(&self, within: Duration) -> Option<Arrived> {
        self.arrivals.recv_timeout(within).ok()
    }

    /// The next response to a phone.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn response(&self, phone: usize) -> String {
        loop {
            let arrived = self.next(WITHIN).expect("a response");
            if arrived.phone == phone && arrived.text.starts_with("SIP/2.0 ") {
                return arrived.text;
            }
        }
    }

    /// A REGISTER with these further header lines.
    #[must_use]
    pub fn register_request(&self, phone: usize, sequence: u32, more: &str) -> String {
        let Phone {
            local,
            server,
            user,
            ..
        } = &self.phones[phone];
        format!(
            "REGISTER sip:{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK-{user}-{sequence};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{server}>;tag={user}\r\n\
             To: <sip:{user}@{server}>\r\nCall-ID: register-{user}@{local}\r\n\
             CSeq: {sequence} REGISTER\r\nContact: <sip:{user}@{local}>\r\n\
             Expires: 300\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    /// The `Authorization` line that answers a SHA-256 challenge in `response`
    /// (RFC 7616), with the nonce count and password given.
    #[must_use]
    pub fn authorization(
        &self,
        phone: usize,
        response: &str,
        count: u32,
        password: &str,
    ) -> String {
        let Phone { server, user, .. } = &self.phones[phone];
        let challenge = headers(response, "WWW-Authenticate")
            .into_iter()
            .find(|challenge| challenge.contains("SHA-256"))
            .expect("a SHA-256 challenge");
        let (realm, nonce) = (quoted(&challenge, "realm"), quoted(&challenge, "nonce"));
        let uri = format!("sip:{server}");
        let ha1 = sha256(&format!("{user}:{realm}:{password}"));
        let ha2 = sha256(&format!("REGISTER:{uri}"));
        let digest = sha256(&format!("{ha1}:{nonce}:{count:08x}:0a4f113b:auth:{ha2}"));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"{uri}\", algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"0a4f113b\", \
             response=\"{digest}\"\r\n"
        )
    }

    /// Registers a phone with SHA-256.
    ///
    /// # Panics
    /// When it is refused.
    pub fn register(&self, phone: usize) {
        self.send(phone, &self.register_request(phone, 1, ""));
        let challenge = self.response(phone);
        let password = password(&self.phones[phone].user);
        let line = self.authorization(phone, &challenge, 1, &password);
        self.send(phone, &self.register_request(phone, 2, &line));
        let response = self.response(phone);
        assert!(response.starts_with("SIP/2.0 200 "), "{response}");
    }

    /// A response to a request, with a session description or without.
    #[must_use]
    pub fn response_to(&self, phone: usize, request: &str, status: &str, with_sdp: bool) -> String {
        let Phone { local, user, .. } = &self.phones[phone];
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From"] {
            for value in headers(request, name) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        let to = headers(request, "To").remove(0);
        let tag = if to.contains(";tag=") {
            String::new()
        } else {
            format!(";tag=wire-{user}")
        };
        let _ = write!(text, "To: {to}{tag}\r\n");
        for name in ["Call-ID", "CSeq"] {
            let _ = write!(text, "{name}: {}\r\n", headers(request, name).remove(0));
        }
        let ip = local.ip();
        let body = if with_sdp {
            format!(
                "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
                 m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
            )
        } else {
            String::new()
        };
        if with_sdp {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(
            text,
            "Contact: <sip:{user}@{local}>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text
    }
}

/// The values of a header, one for each line.
#[must_use]
pub fn headers(message: &str, name: &str) -> Vec<String> {
    let prefix = format!("{}:", name.to_ascii_lowercase());
    message
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.to_ascii_lowercase().starts_with(&prefix))
        .map(|line| line[prefix.len()..].trim().to_owned())
        .collect()
}

fn quoted(challenge: &str, name: &str) -> String {
    let (_, rest) = challenge.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn sha256(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
