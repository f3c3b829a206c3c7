//! A unix socket in front of a server's, which counts what the server answers: rows and bytes of the wire protocol.

use anyhow::Result;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// What went through so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    pub rows: u64,
    pub bytes: u64,
}

impl Moved {
    pub fn since(self, before: Self) -> Self {
        Moved { rows: self.rows - before.rows, bytes: self.bytes - before.bytes }
    }
}

#[derive(Default)]
struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
}

pub struct Proxy {
    directory: PathBuf,
    counters: Arc<Counters>,
}

impl Proxy {
    /// Listens in `directory` for the server whose socket is in `server`.
    pub fn start(directory: &Path, server: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, Permissions::from_mode(0o755))?;
        let name = format!(".s.PGSQL.{}", crate::cluster::PORT);
        let listener = UnixListener::bind(directory.join(&name))?;
        fs::set_permissions(directory.join(&name), Permissions::from_mode(0o777))?;
        let counters = Arc::new(Counters::default());
        let (counted, server) = (counters.clone(), server.join(name));
        // Ends with the test: a listener has no other end.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Without a server the client sees its connection closed, as with any that is down.
                if let Ok(server) = UnixStream::connect(&server) {
                    let _ = serve(client, server, counted.clone());
                }
            }
        });
        Ok(Proxy { directory: directory.to_path_buf(), counters })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn moved(&self) -> Moved {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Moved { rows: read(&self.counters.rows), bytes: read(&self.counters.bytes) }
    }
}

fn serve(client: UnixStream, server: UnixStream, counters: Arc<Counters>) -> Result<()> {
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let asked = counters.clone();
    std::thread::spawn(move || pass(from_client, to_server, |bytes| add(&asked.bytes, bytes.len())));
    std::thread::spawn(move || {
        let mut frames = Frames::default();
        pass(server, client, |bytes| {
            add(&counters.bytes, bytes.len());
            add(&counters.rows, frames.rows(bytes));
        });
    });
    Ok(())
}

fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::SeqCst);
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

/// The server's messages: a byte of type and four of length, which counts itself.
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    body_left: usize,
}

impl Frames {
    /// How many rows begin in these bytes.
    fn rows(&mut self, mut bytes: &[u8]) -> usize {
        let mut rows = 0;
        while !bytes.is_empty() {
            let passed = self.body_left.min(bytes.len());
            self.body_left -= passed;
            bytes = &bytes[passed..];
            let wanted = (5 - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if let [kind, a, b, c, d] = self.head[..] {
                rows += usize::from(kind == b'D');
                self.body_left = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
                self.head.clear();
            }
        }
        rows
    }
}
