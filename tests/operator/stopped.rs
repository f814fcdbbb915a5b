//! What a box that was stopped leaves behind.

use crate::installed::{Installed, calls, eventually, text};

/// Who takes a stopped box's database along may not know of the log beside it.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_a_stopped_box_is_whole_in_one_file() {
    let installed = Installed::new("stopped", 44_700);
    let data = installed.at("data");
    installed.run(&data, &["apply", &text(&installed.hotline_file())]);
    let server = installed.serve(&data, None).await;
    server.call_in_vain().await;
    eventually("the call is kept", || calls(&installed, &data) == 1).await;
    server.stop();
    let log = data.join("centralita.db-wal");
    assert!(!log.exists(), "{} is left", log.display());
    let alone = installed.at("alone");
    std::fs::create_dir(&alone).unwrap();
    std::fs::copy(data.join("centralita.db"), alone.join("centralita.db")).unwrap();
    assert_eq!(calls(&installed, &alone), 1);
}
