//! A relay on the wire that notes every TLS record that passes.

use core::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Which way a record went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    ToTre,
    ToMeter,
}

/// One TLS record as anybody on the wire sees it: which way, its kind, its length.
pub(crate) type Seen = (Way, u8, u16);

/// What passed in some time.
pub(crate) type Trace = Vec<Seen>;

/// A relay before one TRE. It ends with the runtime.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Trace>>,
}

impl Relay {
    /// Relays everything that comes to a port of its own to `tre`.
    pub(crate) async fn start(tre: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the relay")?;
        let (address, seen) = (listener.local_addr()?, Arc::new(Mutex::new(Trace::new())));
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((meter, _)) = listener.accept().await {
                let Ok(tre) = TcpStream::connect(tre).await else { continue };
                let ((from_meter, to_meter), (from_tre, to_tre)) =
                    (meter.into_split(), tre.into_split());
                tokio::spawn(pass(from_meter, to_tre, Way::ToTre, Arc::clone(&notes)));
                tokio::spawn(pass(from_tre, to_meter, Way::ToMeter, Arc::clone(&notes)));
            }
        });
        Ok(Self { address, seen })
    }

    /// What has passed since this was last asked.
    pub(crate) fn take(&self) -> Trace {
        core::mem::take(&mut *self.seen.lock().expect("no test holds it in a panic"))
    }
}

/// Passes whole records on until one end goes away.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, notes: Arc<Mutex<Trace>>) {
    let mut head = [0; 5];
    while from.read_exact(&mut head).await.is_ok() {
        // Kind, version, length: the head of every TLS record.
        let [kind, _, _, high, low] = head;
        let length = u16::from_be_bytes([high, low]);
        let mut record = vec![0; usize::from(length)];
        if from.read_exact(&mut record).await.is_err() {
            break;
        }
        notes.lock().expect("no test holds it in a panic").push((way, kind, length));
        if to.write_all(&[&head[..], &record].concat()).await.is_err() {
            break;
        }
    }
}
