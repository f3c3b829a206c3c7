//! Child processes that never outlive their parent: a child reads its standard input, and the end of it means that the
//! parent is gone, whether it returned, panicked or was killed by any signal. Nothing has to run in the dying parent.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Starts this program again with its standard input as the leash.
pub fn command() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdin(Stdio::piped());
    Ok(command)
}

/// Waits until the parent is gone or lets go.
pub fn wait_for_parent() {
    let mut byte = [0];
    while matches!(std::io::stdin().read(&mut byte), Ok(n) if n > 0) {}
}

/// What the parent wants next, one byte; `None` when it is gone or lets go.
pub fn order() -> Option<u8> {
    let mut byte = [0];
    matches!(std::io::stdin().read(&mut byte), Ok(1)).then_some(byte[0])
}

/// Ends this process when the parent is gone, and removes what the two would have removed.
pub fn follow_parent(directories: Vec<PathBuf>) {
    std::thread::spawn(move || {
        wait_for_parent();
        for directory in directories {
            let _ = std::fs::remove_dir_all(directory);
        }
        let _ = writeln!(std::io::stderr(), "the test run has ended; stopping");
        std::process::exit(1);
    });
}

/// Lets go and waits for the child to clean up.
pub fn release(child: &mut Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}
