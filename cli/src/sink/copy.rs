//! Rows in the binary format of COPY.

use crate::event::Event;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Postgres counts microseconds from 2000 on.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A COPY's bytes on their way.
pub struct Binary {
    bytes: Vec<u8>,
}

impl Binary {
    pub fn new() -> Self {
        Binary { bytes: SIGNATURE.to_vec() }
    }

    /// A row's columns in the order of `copy.sql`.
    pub fn event(&mut self, event: &Event) {
        self.row(8);
        self.text(Some(&event.user_id));
        self.integer(Some(event.content_id));
        self.text(Some(&event.action));
        self.real(event.rating);
        self.real(event.progress);
        self.text(event.context.as_deref());
        self.instant(Some(event.occurred_us));
        self.text(Some(&event.event_id));
    }

    pub fn row(&mut self, columns: i16) {
        self.bytes.extend(columns.to_be_bytes());
    }

    pub fn text(&mut self, text: Option<&str>) {
        self.field(text.map(str::as_bytes));
    }

    pub fn integer(&mut self, value: Option<i64>) {
        self.field(value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    pub fn real(&mut self, value: Option<f64>) {
        self.field(value.map(f64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    /// Microseconds since 1970.
    pub fn instant(&mut self, us: Option<i64>) {
        self.integer(us.map(|us| us.saturating_sub(POSTGRES_EPOCH)));
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        match bytes.and_then(|bytes| Some((i32::try_from(bytes.len()).ok()?, bytes))) {
            Some((length, bytes)) => {
                self.bytes.extend(length.to_be_bytes());
                self.bytes.extend(bytes);
            }
            None => self.bytes.extend((-1_i32).to_be_bytes()),
        }
    }

    /// What there is to send, once it is much.
    pub fn full(&mut self) -> Option<Vec<u8>> {
        (self.bytes.len() > 1 << 16).then(|| std::mem::take(&mut self.bytes))
    }

    /// The rest, with the mark of the end.
    pub fn end(mut self) -> Vec<u8> {
        self.row(-1);
        self.bytes
    }
}
