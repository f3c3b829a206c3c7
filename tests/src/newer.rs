//! A newer SQLite than the system's: compiled once from the amalgamation that libsqlite3-sys carries, with SQLite's
//! default options, so that nothing leans on what a distribution switches on.

use anyhow::{ensure, Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles it into `directory` when it is not there yet; returns its version.
pub fn build(directory: &Path) -> Result<String> {
    let source = amalgamation()?;
    let version = version(&fs::read_to_string(source.join("sqlite3.h"))?)?;
    let library = directory.join("libsqlite3.so.0");
    let stamp = directory.join("version");
    if library.exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == version) {
        return Ok(version);
    }
    println!("compiling SQLite {version} into {}", directory.display());
    fs::create_dir_all(directory)?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-shared", "-fPIC", "-DSQLITE_THREADSAFE=1", "-Wl,-soname,libsqlite3.so.0", "-o"]).arg(&library);
    ensure!(gcc.arg(source.join("sqlite3.c")).args(["-lpthread", "-lm", "-ldl"]).status()?.success(), "gcc failed");
    fs::write(stamp, &version)?;
    Ok(version)
}

fn amalgamation() -> Result<PathBuf> {
    let manifest = crate::repository().join("tests/Cargo.toml");
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let package = packages.iter().find(|package| package["name"] == "libsqlite3-sys").context("no libsqlite3-sys")?;
    let manifest = Path::new(package["manifest_path"].as_str().context("no manifest_path")?);
    Ok(manifest.with_file_name("sqlite3"))
}

fn version(header: &str) -> Result<String> {
    let define = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION ")).context("no version")?;
    Ok(define.trim().trim_matches('"').to_string())
}
