//! TCP for the back ends: accepting, connecting, reading and writing, each connection in tasks of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use telephony::{Input, StreamId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Connections that wait to be taken over by the voice loop.
const MAX_NEW_STREAMS: usize = 4096;
/// Writes waiting for a slow peer before the connection is given up.
const MAX_QUEUED_WRITES: usize = 256;
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ_BYTES: usize = 8 << 10;

/// All connections of the runner, as the voice loop sees them.
pub struct Streams {
    shared: Arc<Shared>,
    writers: BTreeMap<StreamId, mpsc::Sender<Bytes>>,
    adopted: mpsc::Receiver<(StreamId, mpsc::Sender<Bytes>)>,
}

struct Shared {
    inputs: mpsc::Sender<Input>,
    adopt: mpsc::Sender<(StreamId, mpsc::Sender<Bytes>)>,
    next: AtomicU64,
    open: AtomicUsize,
    most: usize,
}

impl Streams {
    /// Listens on every address; what arrives goes to `inputs`. Others are refused while `most`
    /// connections are open.
    ///
    /// # Errors
    /// The address that could not be bound, with the reason.
    pub async fn listen(
        addresses: &[SocketAddr],
        inputs: mpsc::Sender<Input>,
        most: usize,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let (adopt, adopted) = mpsc::channel(MAX_NEW_STREAMS);
        let shared = Arc::new(Shared {
            inputs,
            adopt,
            next: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            most,
        });
        for &address in addresses {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| (address, error))?;
            tokio::spawn(accept(listener, Arc::clone(&shared)));
        }
        Ok(Self {
            shared,
            writers: BTreeMap::new(),
            adopted,
        })
    }

    /// Opens a connection under the back end's name for it; writes are kept until it is up.
    pub fn connect(&mut self, stream: StreamId, remote: SocketAddr) {
        let (writer, writes) = mpsc::channel(MAX_QUEUED_WRITES);
        self.writers.insert(stream, writer);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await {
                Ok(Ok(socket)) => run(socket, stream, writes, &shared).await,
                _ => drop(shared.inputs.send(Input::StreamClosed { stream }).await),
            }
        });
    }

    /// Writes in order; a peer that reads too slowly loses its connection.
    pub fn send(&mut self, stream: StreamId, payload: Bytes) {
        self.adopt_new();
        if let Some(writer) = self.writers.get(&stream)
            && writer.try_send(payload).is_err()
        {
            self.close(stream);
        }
    }

    /// Closes after what was written so far.
    pub fn close(&mut self, stream: StreamId) {
        self.adopt_new();
        self.writers.remove(&stream);
    }

    fn adopt_new(&mut self) {
        while let Ok((stream, writer)) = self.adopted.try_recv() {
            self.writers.insert(stream, writer);
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors: wait for some to come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if shared.open.load(Ordering::Relaxed) >= shared.most {
            continue;
        }
        let stream = StreamId(shared.next.fetch_add(1, Ordering::Relaxed));
        let (writer, writes) = mpsc::channel(MAX_QUEUED_WRITES);
        if shared.adopt.send((stream, writer)).await.is_err() {
            return;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { run(socket, stream, writes, &shared).await });
    }
}

/// One connection from its first byte to its `StreamClosed`.
async fn run(socket: TcpStream, stream: StreamId, writes: mpsc::Receiver<Bytes>, shared: &Shared) {
    let (Ok(local), Ok(remote)) = (socket.local_addr(), socket.peer_addr()) else {
        drop(shared.inputs.send(Input::StreamClosed { stream }).await);
        return;
    };
    shared.open.fetch_add(1, Ordering::Relaxed);
    let _ = socket.set_nodelay(true);
    let opened = Input::StreamOpened {
        stream,
        local,
        remote,
    };
    if shared.inputs.send(opened).await.is_ok() {
        let (reader, writer) = socket.into_split();
        tokio::select! {
            () = read(reader, stream, &shared.inputs) => {}
            () = write(writer, writes) => {}
        }
        drop(shared.inputs.send(Input::StreamClosed { stream }).await);
    }
    shared.open.fetch_sub(1, Ordering::Relaxed);
}

async fn read(mut reader: OwnedReadHalf, stream: StreamId, inputs: &mpsc::Sender<Input>) {
    loop {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let payload = buffer.freeze();
        if inputs
            .send(Input::StreamData { stream, payload })
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut writes: mpsc::Receiver<Bytes>) {
    while let Some(payload) = writes.recv().await {
        if writer.write_all(&payload).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
