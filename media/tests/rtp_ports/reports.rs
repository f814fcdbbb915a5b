//! RTCP, seen by the peer.

use media::codec::Codec;
use media::control::MediaCommand;
use media::port::Refused;
use media::rtcp::{
    Compound, MAX_REPORT_BYTES, NtpTime, Packet, Report, ReportBlock, SenderInfo, build,
};

use super::rig::Rig;

/// The parts of a compound: report with its block, name, goodbye.
fn parts(datagram: &[u8]) -> (Option<SenderInfo>, Option<ReportBlock>, Vec<u8>, bool) {
    let (mut info, mut block, mut name, mut bye) = (None, None, Vec::new(), false);
    for packet in Compound::parse(datagram).unwrap().packets() {
        match packet {
            Packet::SenderReport {
                info: told, blocks, ..
            } => {
                info = Some(told);
                block = blocks.iter().next();
            }
            Packet::ReceiverReport { blocks, .. } => block = blocks.iter().next(),
            Packet::SourceDescription(names) => name = names.iter().next().unwrap().1.to_vec(),
            Packet::Goodbye(_) => bye = true,
            Packet::Other { .. } => panic!("unexpected packet"),
        }
    }
    (info, block, name, bye)
}

#[test]
fn reports_go_out_about_every_five_seconds_and_goodbye_at_the_end() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    for second in 0..60 {
        rig.run(500);
        // One packet in 25 is lost on the way.
        rig.peers[0].sequence = rig.peers[0].sequence.wrapping_add(1);
        rig.run(500);
        assert!(second == 59 || rig.events.is_empty());
    }
    let reports = std::mem::take(&mut rig.post.rtcp);
    assert!(
        (9..=16).contains(&reports.len()),
        "{} in 60 s",
        reports.len()
    );
    let mut names = Vec::new();
    for (_, to, datagram) in &reports {
        assert_eq!(to.port(), 4_001);
        let (info, block, name, bye) = parts(datagram);
        assert!(info.is_some() && !bye);
        let block = block.unwrap();
        assert_eq!(block.ssrc, rig.peers[0].ssrc);
        assert!(block.fraction_lost > 0 && block.fraction_lost < 20);
        names.push(name);
    }
    names.dedup();
    assert_eq!(names.len(), 1, "one name for the whole call");
    let (info, block, ..) = parts(&reports.last().unwrap().2);
    assert!(info.unwrap().packets > 2_000);
    assert_eq!(info.unwrap().octets, info.unwrap().packets * 160);
    assert!(block.unwrap().cumulative_lost > 40);

    let port = rig.peers[0].id;
    rig.order(MediaCommand::Close { port });
    let (_, _, _, bye) = parts(&rig.post.rtcp[0].2);
    assert!(bye);
}

/// A peer's report that answers ours: `delay` after it got it.
fn answer(rig: &Rig, ours: u32, last: NtpTime, delay_ms: u64) -> Vec<u8> {
    answer_with_loss(rig, ours, last, delay_ms, 0)
}

fn answer_with_loss(
    rig: &Rig,
    ours: u32,
    last: NtpTime,
    delay_ms: u64,
    fraction_lost: u8,
) -> Vec<u8> {
    let report = Report {
        ssrc: rig.peers[0].ssrc,
        sender: Some(SenderInfo {
            ntp: NtpTime(0x0000_1111_2222_3333),
            rtp_timestamp: 0,
            packets: 1,
            octets: 1,
        }),
        block: Some(ReportBlock {
            ssrc: ours,
            fraction_lost,
            cumulative_lost: 0,
            highest_sequence: 0,
            jitter: 0,
            last_sender_report: last.middle(),
            delay_since_last: (delay_ms * 65_536 / 1000) as u32,
        }),
        cname: b"peer",
        goodbye: false,
    };
    build(&report, &mut [0; MAX_REPORT_BYTES]).to_vec()
}

#[test]
fn a_round_trip_is_measured_and_the_peers_report_is_answered() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    rig.run(1_000);
    let (ours, sent) = (rig.peers[0].got[0].0.ssrc, rig.ntp());
    rig.run(80);
    let datagram = answer(&rig, ours, sent, 50);
    let place = rig.mixer.place(rig.peers[0].id).unwrap();
    let (now, ntp, from) = (rig.now(), rig.ntp(), rig.peers[0].format.remote_rtcp);
    rig.mixer
        .handle_rtcp(place, from, &datagram, now, ntp)
        .unwrap();
    let round_trip = rig.mixer.port(rig.peers[0].id).unwrap().round_trip();
    let ms = round_trip.unwrap().as_millis();
    assert!((29..=31).contains(&ms), "{ms}");
    rig.run(8_000);
    let (_, block, ..) = parts(&rig.post.rtcp.last().unwrap().2);
    let block = block.unwrap();
    assert_eq!(block.last_sender_report, 0x1111_2222);
    assert!(block.delay_since_last > 0);
}

/// Whether an Opus packet of one frame carries a copy of the frame before: the
/// second flag of the SILK data (RFC 6716 section 4.2.3).
fn has_copy(packet: &[u8]) -> bool {
    let mut data = 1;
    // With a frame count comes its padding (section 3.2.5).
    if packet[0] & 3 == 3 {
        data = 2;
        if packet[1] & 0x40 != 0 {
            data += 1 + packet[2..]
                .iter()
                .take_while(|&&length| length == 255)
                .count();
        }
    }
    packet[data] & 0x40 != 0
}

/// The part of the packets got since `start` that carry a copy.
fn copies_since(rig: &Rig, start: usize) -> f64 {
    let got = &rig.peers[0].got[start..];
    let copies = got.iter().filter(|(_, payload)| has_copy(payload));
    copies.count() as f64 / got.len() as f64
}

/// The second peer says syllables for so long: steady tones count as noise.
fn babble(rig: &mut Rig, ms: u64) {
    let (mut phase, address) = (0.0f64, rig.peers[1].address);
    for _ in 0..ms / 20 {
        let mut pcm = [0; 160];
        for (at, slot) in pcm.iter_mut().enumerate() {
            let time = rig.ms as f64 / 1_000.0 + at as f64 / 8_000.0;
            phase += (150.0 + 60.0 * (time * 23.0).sin()) / 8_000.0;
            let loudness = (time * 13.0).sin().max(0.0) * 8_000.0;
            let buzz = 2.0 * phase.fract() - 1.0;
            *slot = (buzz * loudness) as i16;
        }
        let datagram = rig.peers[1].packet_of(&pcm);
        rig.send(1, address, &datagram).unwrap();
        rig.run(20);
    }
}

#[test]
fn a_peer_that_loses_packets_gets_copies_until_it_loses_no_more() {
    let mut rig = Rig::new(&[Codec::Opus, Codec::Pcma]);
    rig.peers[1].sends = false;
    rig.connect(0, 1);
    babble(&mut rig, 1_000);
    assert_eq!(copies_since(&rig, 0), 0.0);
    let ours = rig.peers[0].got[0].0.ssrc;
    let place = rig.mixer.place(rig.peers[0].id).unwrap();
    let mut copies = Vec::new();
    // 10 % for half a minute, then none.
    for fraction_lost in [[26; 6], [0; 6], [0; 6]].concat() {
        let datagram = answer_with_loss(&rig, ours, NtpTime(0), 0, fraction_lost);
        let (now, ntp, from) = (rig.now(), rig.ntp(), rig.peers[0].format.remote_rtcp);
        let heard = rig.mixer.handle_rtcp(place, from, &datagram, now, ntp);
        heard.unwrap();
        let start = rig.peers[0].got.len();
        babble(&mut rig, 5_000);
        copies.push(copies_since(&rig, start));
    }
    assert!(copies[1..6].iter().all(|&part| part > 0.4), "{copies:?}");
    assert!(copies[14..].iter().all(|&part| part == 0.0), "{copies:?}");
}

#[test]
fn reports_of_strangers_are_refused() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    rig.run(100);
    let datagram = answer(&rig, 1, NtpTime(0), 0);
    let place = rig.mixer.place(rig.peers[0].id).unwrap();
    let (now, ntp) = (rig.now(), rig.ntp());
    let mut hear = |from: &str, datagram: &[u8]| {
        let from = from.parse().unwrap();
        rig.mixer.handle_rtcp(place, from, datagram, now, ntp)
    };
    assert_eq!(hear("192.0.2.1:4001", &datagram), Ok(()));
    assert_eq!(hear("203.0.113.5:4001", &datagram), Err(Refused::Source));
    assert_eq!(
        hear("192.0.2.1:4001", &datagram[1..]),
        Err(Refused::Malformed)
    );
}

#[test]
fn behind_a_nat_reports_go_where_they_come_from() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    rig.peers[0].format.latch = true;
    rig.peers[0].address = "203.0.113.7:61000".parse().unwrap();
    rig.configure(0);
    rig.run(100);
    let datagram = answer(&rig, 1, NtpTime(0), 0);
    let place = rig.mixer.place(rig.peers[0].id).unwrap();
    let (now, ntp) = (rig.now(), rig.ntp());
    let from = "203.0.113.7:61007".parse().unwrap();
    rig.mixer
        .handle_rtcp(place, from, &datagram, now, ntp)
        .unwrap();
    rig.run(8_000);
    assert!(rig.post.rtcp.iter().all(|(_, to, _)| *to == from));
    assert!(!rig.post.rtcp.is_empty());
}
