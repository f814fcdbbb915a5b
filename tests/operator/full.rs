//! A disk without room: a limit on files stands for it, and can be lifted again.

use crate::installed::{Installed, calls, eventually, text};

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_time_without_room_are_kept_once_there_is_some() {
    let installed = Installed::new("full", 44_600);
    let data = installed.at("data");
    installed.run(&data, &["apply", &text(&installed.hotline_file())]);
    let server = installed.serve(&data, None).await;
    server.call_in_vain().await;
    eventually("the first call", || calls(&installed, &data) == 1).await;

    // Not even the first page of a log has room.
    server.limit_files("4096");
    server.call_in_vain().await;
    server.wait(|status| !status.database_ok).await;
    for _ in 0..3 {
        server.call_in_vain().await;
    }
    let status = installed.run(&data, &["status"]);
    assert!(status.contains("records wait in memory"), "{status}");
    let refused = installed.refused(&data, &["break", "v01", "on"]);
    assert!(refused.contains("full or refuses writes"), "{refused}");
    assert_eq!(calls(&installed, &data), 1, "they can be listed meanwhile");

    server.limit_files("unlimited");
    server.wait(|status| status.database_ok).await;
    eventually("all five calls", || calls(&installed, &data) == 5).await;
    installed.run(&data, &["break", "v01", "on"]);
    let hub = server.wait(|_| true).await.hubs.remove(0).id;
    server.stop();
    let trail = installed.run(&data, &["audit", "list", "--hub", &hub]);
    assert_eq!(trail.matches("call-missed").count(), 5, "{trail}");
    assert_eq!(trail.matches("volunteer-on-break").count(), 1, "{trail}");
    installed.run(&data, &["audit", "verify"]);
}
