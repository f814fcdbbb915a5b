use super::*;

const LIFETIMES: Lifetimes = Lifetimes {
    min: Duration::from_secs(60),
    max: Duration::from_secs(3600),
};

fn flow(port: u16) -> Flow {
    Flow::Udp {
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([198, 51, 100, 7], port).into(),
    }
}

fn request(cseq: u32, contacts: Contacts) -> Registration {
    Registration {
        account: Account("ana".into()),
        call_id: "reg-1".into(),
        cseq,
        path: Vec::new(),
        flow: flow(5070),
        user_agent: None,
        contacts,
    }
}

fn contact(uri: &str, seconds: u64) -> ContactUpdate {
    ContactUpdate {
        uri: uri.into(),
        expires: Some(Duration::from_secs(seconds)),
        instance: None,
        reg_id: None,
    }
}

fn update(cseq: u32, uri: &str, seconds: u64) -> Registration {
    request(cseq, Contacts::Update(vec![contact(uri, seconds)]))
}

fn only(changes: Result<Vec<Change>, RegisterError>) -> Binding {
    match changes.as_deref() {
        Ok([Change::Upserted(binding)]) => (**binding).clone(),
        other => panic!("expected one upsert, got {other:?}"),
    }
}

#[test]
fn refresh_keeps_the_id_and_moves_the_end() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let first = only(table.register(update(1, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    let later = now + Duration::from_secs(300);
    let again = only(table.register(update(2, "SIP:ana@10.0.0.1", 600), LIFETIMES, later));
    assert_eq!(first.id, again.id);
    assert_eq!(table.len(), 1);
    assert_eq!(table.next_timeout(), Some(later + Duration::from_secs(600)));
    assert!(table.pop_expired(now + Duration::from_secs(600)).is_none());
    assert!(
        table
            .pop_expired(later + Duration::from_secs(600))
            .is_some()
    );
    assert!(table.is_empty());
}

#[test]
fn phones_of_one_account_ring_side_by_side() {
    let now = Instant::now();
    let mut table = Registrar::new();
    only(table.register(update(1, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    only(table.register(update(2, "sip:ana@10.0.0.2", 600), LIFETIMES, now));
    only(table.register(update(3, "sip:Ana@10.0.0.2", 600), LIFETIMES, now));
    assert_eq!(table.of_account(&Account("ana".into())).count(), 3);
}

#[test]
fn too_short_is_refused_and_too_long_is_shortened() {
    let now = Instant::now();
    let mut table = Registrar::new();
    assert_eq!(
        table.register(update(1, "sip:ana@10.0.0.1", 59), LIFETIMES, now),
        Err(RegisterError::TooBrief)
    );
    let long = only(table.register(update(2, "sip:ana@10.0.0.1", 1 << 31), LIFETIMES, now));
    assert_eq!(long.expires_at, now + LIFETIMES.max);
}

#[test]
fn a_request_that_was_overtaken_changes_nothing() {
    let now = Instant::now();
    let mut table = Registrar::new();
    only(table.register(update(5, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    for cseq in [4, 5] {
        assert_eq!(
            table.register(update(cseq, "sip:ana@10.0.0.1", 0), LIFETIMES, now),
            Err(RegisterError::OutOfOrder)
        );
        assert_eq!(
            table.register(request(cseq, Contacts::RemoveAll), LIFETIMES, now),
            Err(RegisterError::OutOfOrder)
        );
    }
    let mut rebooted = update(1, "sip:ana@10.0.0.1", 600);
    rebooted.call_id = "reg-2".into();
    only(table.register(rebooted, LIFETIMES, now));
    assert_eq!(table.len(), 1);
}

#[test]
fn one_bad_contact_spoils_the_whole_request() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let both = Contacts::Update(vec![
        contact("sip:ana@10.0.0.1", 600),
        contact("sip:ana@10.0.0.2", 5),
    ]);
    assert_eq!(
        table.register(request(1, both), LIFETIMES, now),
        Err(RegisterError::TooBrief)
    );
    assert!(table.is_empty());
}

#[test]
fn removal_by_contact_and_by_star() {
    let now = Instant::now();
    let mut table = Registrar::new();
    only(table.register(update(1, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    only(table.register(update(2, "sip:ana@10.0.0.2", 600), LIFETIMES, now));
    let removed = table.register(update(3, "sip:ana@10.0.0.1", 0), LIFETIMES, now);
    assert!(matches!(removed.as_deref(), Ok([Change::Removed { .. }])));
    let unknown = table.register(update(4, "sip:ana@10.0.0.9", 0), LIFETIMES, now);
    assert_eq!(unknown, Ok(Vec::new()));
    let all = table.register(request(5, Contacts::RemoveAll), LIFETIMES, now);
    assert_eq!(all.map(|changes| changes.len()), Ok(1));
    assert!(table.is_empty());
    assert_eq!(table.next_timeout(), None);
}

#[test]
fn instance_and_reg_id_replace_whatever_the_contact_says() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let mut with_instance = |cseq: u32, uri: &str, reg_id: u32| {
        let mut contact = contact(uri, 600);
        contact.instance = Some("<urn:uuid:1>".into());
        contact.reg_id = Some(reg_id);
        only(table.register(
            request(cseq, Contacts::Update(vec![contact])),
            LIFETIMES,
            now,
        ))
        .id
    };
    let first = with_instance(1, "sip:ana@10.0.0.1:1111", 1);
    assert_eq!(with_instance(2, "sip:ana@10.0.0.1:2222", 1), first);
    assert_ne!(with_instance(3, "sip:ana@10.0.0.1:2222", 2), first);
    assert_eq!(table.len(), 2);
}

#[test]
fn eleventh_phone_replaces_the_one_that_ends_first() {
    let now = Instant::now();
    let mut table = Registrar::new();
    for n in 0..MAX_BINDINGS_PER_ACCOUNT {
        let seconds = if n == 3 { 100 } else { 600 };
        let uri = format!("sip:ana@10.0.0.{n}");
        only(table.register(update(n as u32 + 1, &uri, seconds), LIFETIMES, now));
    }
    let changes = table
        .register(update(99, "sip:ana@10.0.1.1", 600), LIFETIMES, now)
        .expect("accepted");
    assert!(matches!(
        changes[0],
        Change::Removed {
            id: BindingId(4),
            ..
        }
    ));
    assert!(matches!(changes[1], Change::Upserted(_)));
    assert_eq!(table.len(), MAX_BINDINGS_PER_ACCOUNT);
}

#[test]
fn closing_a_connection_removes_only_its_contacts() {
    let now = Instant::now();
    let mut table = Registrar::new();
    only(table.register(update(1, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    let mut tcp = update(2, "sip:ana@10.0.0.2;transport=tcp", 600);
    tcp.flow = Flow::Tcp {
        connection: ConnectionId(7),
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([198, 51, 100, 7], 40000).into(),
    };
    let id = only(table.register(tcp, LIFETIMES, now)).id;
    assert!(table.uses_connection(ConnectionId(7)));
    assert!(table.knows_peer(([198, 51, 100, 7], 40000).into()));
    assert!(table.connection_closed(ConnectionId(8)).is_empty());
    let changes = table.connection_closed(ConnectionId(7));
    assert!(matches!(changes[..], [Change::Removed { id: gone, .. }] if gone == id));
    assert!(!table.knows_peer(([198, 51, 100, 7], 40000).into()));
    assert!(table.knows_peer(([198, 51, 100, 7], 5070).into()));
}

#[test]
fn restored_bindings_keep_their_ids_and_new_ones_come_after() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let mut old = only(table.register(update(1, "sip:ana@10.0.0.1", 600), LIFETIMES, now));
    old.id = BindingId(41);
    let mut table = Registrar::new();
    assert_eq!(table.restore(old.clone()), None);
    let mut ended = old.clone();
    ended.expires_at = now;
    ended.id = BindingId(50);
    assert_eq!(table.restore(ended), None);
    assert!(matches!(
        table.pop_expired(now),
        Some(Change::Removed {
            id: BindingId(50),
            ..
        })
    ));
    assert_eq!(table.pop_expired(now), None);
    let new = only(table.register(update(2, "sip:ana@10.0.0.2", 600), LIFETIMES, now));
    assert_eq!(new.id, BindingId(51));
    assert_eq!(table.len(), 2);
}

#[test]
fn absurd_sizes_are_refused() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let long = format!("sip:{}@10.0.0.1", "a".repeat(MAX_VALUE_LEN));
    assert_eq!(
        table.register(update(1, &long, 600), LIFETIMES, now),
        Err(RegisterError::TooLarge)
    );
    let many = (0..=MAX_CONTACTS_PER_REGISTER)
        .map(|n| contact(&format!("sip:{n}@10.0.0.1"), 600))
        .collect();
    assert_eq!(
        table.register(request(2, Contacts::Update(many)), LIFETIMES, now),
        Err(RegisterError::TooLarge)
    );
}

#[test]
fn what_a_database_may_refuse_is_not_kept() {
    let now = Instant::now();
    let mut table = Registrar::new();
    let with_nul = || "a\0b".to_owned();
    let mut path = update(1, "sip:ana@10.0.0.1", 600);
    path.path = vec![with_nul()];
    let mut call_id = update(2, "sip:ana@10.0.0.1", 600);
    call_id.call_id = with_nul();
    let mut instance = contact("sip:ana@10.0.0.1", 600);
    instance.instance = Some(with_nul());
    let instance = request(3, Contacts::Update(vec![instance]));
    for refused in [path, call_id, instance, update(4, "sip:a\0@10.0.0.1", 600)] {
        assert_eq!(
            table.register(refused, LIFETIMES, now),
            Err(RegisterError::Unprintable)
        );
    }
    assert!(table.is_empty());
}
