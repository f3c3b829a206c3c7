//! A SQLite file with the extension loaded.

use super::{Table, Value};
use crate::args::Connect;
use crate::failure::{Exit, Failure, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Sqlite {
    pub connection: Connection,
    path: PathBuf,
}

/// The journal mode stays with the file; the rest is of the connection.
const TUNE: &str = include_str!("../../../sql/sqlite/tune.sql");
const TUNE_CONNECTION: &str = "pragma synchronous = normal; pragma cache_size = -65536;";

impl Sqlite {
    pub fn open(path: &Path, connect: &Connect, create: bool) -> Result<Self> {
        if create {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.map_or(Ok(()), std::fs::create_dir_all).map_err(|error| Failure::file(path, error))?;
        } else if !path.is_file() {
            let hint = "Make it: cotaste init. Another place: --sqlite PATH, --url or DATABASE_URL.";
            return Err(Failure::connection(format!("there is no file {}", path.display()), hint));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let flags = if create { flags | OpenFlags::SQLITE_OPEN_CREATE } else { flags };
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_millis(connect.busy_timeout.into()))?;
        // The first read: a file that is no database is told here.
        connection.query_row("select count(*) from sqlite_master", [], |_| Ok(()))?;
        load(&connection, &find_extension(connect)?)?;
        connection.execute_batch(if create { TUNE } else { TUNE_CONNECTION })?;
        connection.busy_timeout(Duration::from_millis(connect.busy_timeout.into()))?;
        Ok(Sqlite { connection, path: path.to_path_buf() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Table> {
        let mut statement = self.connection.prepare(sql)?;
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_string).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
        let mut table = Table { columns, rows: Vec::new() };
        while let Some(row) = rows.next()? {
            table.rows.push((0..table.columns.len()).map(|i| Ok(row.get_ref(i)?.into())).collect::<Result<_>>()?);
        }
        Ok(table)
    }
}

fn load(connection: &Connection, extension: &Path) -> Result<()> {
    // SAFETY: the library runs in this process; it is the one the user or the installation names. Loading is switched off
    // again at once, so that no SQL can load another.
    let loaded = unsafe {
        connection.load_extension_enable()?;
        let loaded = connection.load_extension(extension, Some("sqlite3_cotaste_init"));
        connection.load_extension_disable()?;
        loaded
    };
    loaded.map_err(|error| {
        let hint = "Pass the path of cotaste0 built for this machine: --extension PATH or COTASTE_EXTENSION.";
        Failure::new(Exit::NoDatabase, "EXTENSION_ERROR", format!("{}: {error}", extension.display()), hint)
    })
}

/// Beside this program or in a standard place, unless it is named.
fn find_extension(connect: &Connect) -> Result<PathBuf> {
    if let Some(path) = &connect.extension {
        return Ok(path.clone());
    }
    let name = format!("cotaste0{}", std::env::consts::DLL_SUFFIX);
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().unwrap_or(Path::new("."));
    let places = [
        beside.to_path_buf(),
        beside.join("../lib/cotaste"),
        "/usr/local/lib/cotaste".into(),
        "/usr/lib/cotaste".into(),
    ];
    places.iter().map(|place| place.join(&name)).find(|path| path.is_file()).ok_or_else(|| {
        let message = format!("{name} is neither beside {} nor in a standard place", program.display());
        Failure::new(Exit::NoDatabase, "EXTENSION_ERROR", message, "Name it: --extension PATH or COTASTE_EXTENSION.")
    })
}
