//! RTCP: what is built is read back; vectors by hand; garbage is refused.
#![allow(clippy::unwrap_used)]

use media::rtcp::{
    Compound, MAX_REPORT_BYTES, NtpTime, Packet, Report, ReportBlock, RtcpError, SenderInfo, build,
};
use proptest::prelude::*;

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0x1122_3344,
    fraction_lost: 25,
    cumulative_lost: -3,
    highest_sequence: 0x0001_0203,
    jitter: 77,
    last_sender_report: 0xaabb_ccdd,
    delay_since_last: 65_536,
};
const INFO: SenderInfo = SenderInfo {
    ntp: NtpTime(0x0102_0304_0506_0708),
    rtp_timestamp: 160,
    packets: 9,
    octets: 1_440,
};

/// A sender report with one block, written by hand.
const SENDER_REPORT: [u8; 52] = [
    0x81, 200, 0, 12, 0xca, 0xfe, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 160, 0, 0, 0, 9, 0, 0,
    0x05, 0xa0, 0x11, 0x22, 0x33, 0x44, 25, 0xff, 0xff, 0xfd, 0, 1, 2, 3, 0, 0, 0, 77, 0xaa, 0xbb,
    0xcc, 0xdd, 0, 1, 0, 0,
];

fn report(sender: bool, block: bool, goodbye: bool) -> Vec<u8> {
    let report = Report {
        ssrc: 0xcafe_0001,
        sender: sender.then_some(INFO),
        block: block.then_some(BLOCK),
        cname: b"0123456789abcdef01234567",
        goodbye,
    };
    build(&report, &mut [0; MAX_REPORT_BYTES]).to_vec()
}

/// What a datagram says, as text.
fn told(datagram: &[u8]) -> String {
    let compound = Compound::parse(datagram).unwrap();
    let words = compound.packets().map(|packet| match packet {
        Packet::SenderReport { ssrc, info, blocks } => {
            assert_eq!((ssrc, info), (0xcafe_0001, INFO));
            format!("sr{}", blocks.iter().filter(|b| *b == BLOCK).count())
        }
        Packet::ReceiverReport { ssrc, blocks } => {
            assert_eq!(ssrc, 0xcafe_0001);
            format!("rr{}", blocks.iter().filter(|b| *b == BLOCK).count())
        }
        Packet::SourceDescription(names) => names
            .iter()
            .map(|(ssrc, name)| format!("{ssrc:x}={}", String::from_utf8_lossy(name)))
            .collect(),
        Packet::Goodbye(goodbye) => {
            format!("bye{:x?}", goodbye.sources().collect::<Vec<_>>())
        }
        Packet::Other { packet_type } => format!("other{packet_type}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_sender_report_has_the_bytes_of_the_rfc() {
    assert_eq!(report(true, true, false)[..52], SENDER_REPORT);
}

#[test]
fn every_compound_reads_back() {
    let name = "cafe0001=0123456789abcdef01234567";
    for (sender, block, goodbye) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let kind = if sender { "sr" } else { "rr" };
        let bye = if goodbye { " bye[cafe0001]" } else { "" };
        let expected = format!("{kind}{} {name}{bye}", u8::from(block));
        assert_eq!(told(&report(sender, block, goodbye)), expected);
    }
}

#[test]
fn reduced_size_feedback_and_final_padding_are_taken() {
    // A lone goodbye, then one with a reason and padding.
    assert_eq!(told(&[0x81, 203, 0, 1, 0, 0, 0, 5]), "bye[5]");
    let padded = [
        0xa1, 203, 0, 4, 0, 0, 0, 5, 2, b'o', b'k', 0, 0, 0, 0, 0, 0, 0, 0, 4,
    ];
    assert_eq!(told(&padded), "bye[5]");
    assert_eq!(told(&[0x81, 206, 0, 2, 0, 0, 0, 5, 0, 0, 0, 6]), "other206");
}

#[test]
fn contradictions_are_refused() {
    let error = |bytes: &[u8]| Compound::parse(bytes).map(|_| ()).unwrap_err();
    assert_eq!(error(&[]), RtcpError::Truncated);
    assert_eq!(error(&SENDER_REPORT[..51]), RtcpError::Truncated);
    assert_eq!(error(&[0x41, 203, 0, 1, 0, 0, 0, 5]), RtcpError::Version);
    assert_eq!(error(&[0x80, 96, 0, 0]), RtcpError::PacketType);
    assert_eq!(error(&[0x82, 203, 0, 1, 0, 0, 0, 5]), RtcpError::Count);
    let mut more_blocks = SENDER_REPORT;
    more_blocks[0] = 0x82;
    assert_eq!(error(&more_blocks), RtcpError::Count);
    for padding in [0, 3, 8, 255] {
        assert_eq!(
            error(&[0xa0, 203, 0, 1, 0, 0, 0, padding]),
            RtcpError::Padding
        );
    }
    // Padding in front of another packet.
    let early = [0xa0, 203, 0, 1, 0, 0, 0, 4, 0x80, 203, 0, 0];
    assert_eq!(error(&early), RtcpError::Padding);
}

#[test]
fn broken_source_descriptions_end_quietly() {
    // The name claims 200 bytes.
    let lying = [0x81, 202, 0, 2, 0, 0, 0, 5, 1, 200, b'x', 0];
    assert_eq!(told(&lying), "");
    // Other items come before the name.
    let named = [0x81, 202, 0, 3, 0, 0, 0, 5, 2, 1, b'N', 1, 1, b'c', 0, 0];
    assert_eq!(told(&named), "5=c");
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        walk(&bytes);
    }

    #[test]
    fn damaged_reports_never_panic(
        flips in prop::collection::vec((0usize..128, any::<u8>()), 1..6),
        cut in 0usize..128,
        goodbye: bool,
    ) {
        let mut bytes = report(true, true, goodbye);
        for (at, value) in flips {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 16));
        walk(&bytes);
    }
}

/// Reads everything a datagram says.
fn walk(bytes: &[u8]) {
    let Ok(compound) = Compound::parse(bytes) else {
        return;
    };
    let mut items = 0;
    for packet in compound.packets() {
        items += match packet {
            Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                blocks.iter().count()
            }
            Packet::SourceDescription(names) => names.iter().count(),
            Packet::Goodbye(goodbye) => goodbye.sources().count(),
            Packet::Other { .. } => 1,
        };
    }
    assert!(items <= bytes.len());
}
