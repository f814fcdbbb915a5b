//! One call that makes a hundred phones ring: how soon the last one rings, and
//! how soon the last one stops when one is picked up.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::plan::{CARRIER, PHONES, SIP_PORT, TOGETHER, TOGETHER_NUMBER};
use super::sipp::together_ports;

const PATIENCE: Duration = Duration::from_secs(5);
/// Between two calls, so that the first is over for everyone.
const REST: Duration = Duration::from_millis(700);
/// Between ringing and picking up, so that the server is at rest.
const RINGING: Duration = Duration::from_millis(300);
const MAX_DATAGRAM_BYTES: usize = 4_096;

/// What one call took.
pub struct Timing {
    /// From the caller's INVITE to the last phone's.
    pub ringing: Duration,
    /// From the winner's 200 to the last loser's CANCEL.
    pub cancelled: Duration,
}

/// The caller's socket and the phones' sockets.
pub struct Ring {
    caller: UdpSocket,
    phones: Vec<UdpSocket>,
    server: SocketAddr,
    call: usize,
}

/// An INVITE that a phone has, and the socket it came to.
struct Ringing {
    socket: usize,
    from: SocketAddr,
    invite: String,
}

impl Ring {
    pub fn new(server: Ipv4Addr) -> Result<Self, String> {
        let bind = |address: Ipv4Addr, port: u16| -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((address, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let phones: io::Result<Vec<_>> = together_ports().map(|port| bind(PHONES, port)).collect();
        Ok(Self {
            caller: bind(CARRIER, SIP_PORT).map_err(|error| error.to_string())?,
            phones: phones.map_err(|error| error.to_string())?,
            server: SocketAddr::from((server, SIP_PORT)),
            call: 0,
        })
    }

    /// Plays one call from dialling to hanging up.
    pub fn measure(&mut self) -> Result<Timing, String> {
        self.call += 1;
        let invite = self.invite();
        let dialled = Instant::now();
        self.say(&self.caller, &invite, self.server)?;
        let (ringing, phones) = self.all_ring(dialled)?;
        for phone in phones.values() {
            let reply = answer(&phone.invite, "180 Ringing", "");
            self.say(&self.phones[phone.socket], &reply, phone.from)?;
        }
        std::thread::sleep(RINGING);
        let winner = phones
            .values()
            .nth(self.call % TOGETHER)
            .ok_or("nobody rings")?;
        let body = description(PHONES, 6900);
        let reply = answer(&winner.invite, "200 OK", &body);
        let picked_up = Instant::now();
        self.say(&self.phones[winner.socket], &reply, winner.from)?;
        let cancelled = self.all_stop(picked_up, &phones)?;
        self.hang_up(&invite)?;
        Ok(Timing { ringing, cancelled })
    }

    fn all_ring(&self, since: Instant) -> Result<(Duration, BTreeMap<String, Ringing>), String> {
        let mut phones = BTreeMap::new();
        let mut last = since;
        while phones.len() < TOGETHER {
            let Some((socket, from, invite)) = self.heard(since)? else {
                return Err(format!("only {} phones rang", phones.len()));
            };
            last = Instant::now();
            let id = header(&invite, "Call-ID").to_owned();
            if invite.starts_with("INVITE ") && !id.is_empty() {
                phones.entry(id).or_insert(Ringing {
                    socket,
                    from,
                    invite,
                });
            }
        }
        Ok((last - since, phones))
    }

    /// Waits for every loser's CANCEL, then answers them.
    fn all_stop(
        &self,
        since: Instant,
        phones: &BTreeMap<String, Ringing>,
    ) -> Result<Duration, String> {
        let mut cancels = BTreeMap::new();
        let mut last = since;
        while cancels.len() + 1 < TOGETHER {
            let Some((_, _, request)) = self.heard(since)? else {
                return Err(format!("only {} phones stopped ringing", cancels.len()));
            };
            if request.starts_with("CANCEL ") {
                last = Instant::now();
                cancels.insert(header(&request, "Call-ID").to_owned(), request);
            }
        }
        for (id, cancel) in &cancels {
            let Some(phone) = phones.get(id) else {
                continue;
            };
            for reply in [
                answer(cancel, "200 OK", ""),
                answer(&phone.invite, "487 Request Terminated", ""),
            ] {
                self.say(&self.phones[phone.socket], &reply, phone.from)?;
            }
        }
        Ok(last - since)
    }

    /// The next request to a phone; `None` after [`PATIENCE`].
    fn heard(&self, since: Instant) -> Result<Option<(usize, SocketAddr, String)>, String> {
        let mut buffer = [0; MAX_DATAGRAM_BYTES];
        while since.elapsed() < PATIENCE {
            for (index, socket) in self.phones.iter().enumerate() {
                match socket.recv_from(&mut buffer) {
                    Ok((length, from)) => {
                        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        return Ok(Some((index, from, text)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    /// The caller takes the answer and ends the call; everyone's last messages are answered.
    fn hang_up(&self, invite: &str) -> Result<(), String> {
        let since = Instant::now();
        let mut buffer = [0; MAX_DATAGRAM_BYTES];
        let mut answered = false;
        while since.elapsed() < REST {
            if let Ok((length, _)) = self.caller.recv_from(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                if text.starts_with("SIP/2.0 200") && text.contains("CSeq: 1 INVITE") && !answered {
                    answered = true;
                    let (ack, bye) = (
                        self.follow_up(invite, &text, 1, "ACK"),
                        self.follow_up(invite, &text, 2, "BYE"),
                    );
                    self.say(&self.caller, &ack, self.server)?;
                    self.say(&self.caller, &bye, self.server)?;
                }
            }
            for socket in &self.phones {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    if text.starts_with("BYE ") {
                        self.say(socket, &answer(&text, "200 OK", ""), from)?;
                    }
                }
            }
            std::thread::yield_now();
        }
        if answered {
            Ok(())
        } else {
            Err("the caller was not answered".into())
        }
    }

    fn say(&self, socket: &UdpSocket, text: &str, to: SocketAddr) -> Result<(), String> {
        socket
            .send_to(text.as_bytes(), to)
            .map(drop)
            .map_err(|error| format!("cannot send: {error}"))
    }

    fn invite(&self) -> String {
        let body = description(CARRIER, 6902);
        let (call, id, to) = (self.call, std::process::id(), self.server);
        format!(
            "INVITE sip:{TOGETHER_NUMBER}@{to} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {CARRIER}:{SIP_PORT};branch=z9hG4bK{id}x{call}\r\nMax-Forwards: 70\r\n\
             From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={id}c{call}\r\n\
             To: <sip:{TOGETHER_NUMBER}@{to}>\r\nCall-ID: {id}-{call}@bench\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:carrier@{CARRIER}:{SIP_PORT}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A later request of the call that `invite` began and `answer` answered.
    fn follow_up(&self, invite: &str, answer: &str, number: u32, method: &str) -> String {
        let contact = header(answer, "Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or(contact);
        let call = self.call;
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {CARRIER}:{SIP_PORT};branch=z9hG4bK{}{method}{call}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n",
            std::process::id(),
            header(invite, "From"),
            header(answer, "To"),
            header(invite, "Call-ID"),
        )
    }
}

/// A response to `request`; the phone's tag is made of its Call-ID.
fn answer(request: &str, status: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().filter(|line| line.starts_with("Via:")) {
        let _ = write!(text, "{line}\r\n");
    }
    let to = header(request, "To");
    let tag: String = header(request, "Call-ID")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let to = if to.contains(";tag=") {
        to.to_owned()
    } else {
        format!("{to};tag={tag}")
    };
    // `METHOD sip:user@host:port SIP/2.0`: the phone's own address.
    let target = request.split_whitespace().nth(1).unwrap_or_default();
    let _ = write!(
        text,
        "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <{target}>\r\n",
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
    );
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map_or("", str::trim)
}

fn description(address: Ipv4Addr, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}
