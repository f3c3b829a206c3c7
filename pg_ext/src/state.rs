//! An aggregate's state: a `bytea` that grows in place. All unsafe code of the extension is here and in `text`.
//!
//! Its bytes: `used` and `compacted` (u32, little-endian: the length of the data, and what it was after the last
//! compaction), the data, then slack. As the slack belongs to the value, Postgres keeps it when it copies a state, and a
//! row costs an append and no allocation. A state is plain bytes, so it travels between parallel workers and servers.

use crate::convert::{report, OrReport};
use cotaste_core::{Error, Result};
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::{pg_sys, varlena};
use std::ptr::NonNull;

const HEAD: usize = 8;
const LEAST_CAPACITY: usize = 120;
const FIRST_COMPACTION: usize = 64 * 1024;
/// What Postgres allocates at most for one value, its length word included.
const MAX_ALLOC: usize = 0x3fff_ffff;

/// What makes a state smaller without changing its meaning.
pub type Compact = fn(&[u8]) -> Result<Vec<u8>>;

/// Says that Postgres runs an aggregate, the only case in which an argument may be changed in place.
pub struct InAggregate {
    memory: pg_sys::MemoryContext,
}

// SAFETY: takes no SQL argument; fcinfo is that of the running call.
unsafe impl<'fcx> ArgAbi<'fcx> for InAggregate {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        let outside =
            || report(&Error::invalid("state", "is kept by an aggregate; this function cannot be called alone"));
        // SAFETY: both pointers are Postgres' own; a node starts with its tag.
        unsafe {
            let fcinfo = <pg_sys::FunctionCallInfo as ArgAbi>::unbox_arg_unchecked(arg);
            let mut memory = std::ptr::null_mut();
            match pg_sys::AggCheckCallContext(fcinfo, &mut memory) {
                0 => outside(),
                _ => Self { memory },
            }
        }
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

/// A state as Postgres passes it: in the aggregate's memory, or on its way between two processes.
pub struct State(NonNull<pg_sys::varlena>);

// SAFETY: declared as bytea in SQL, so a datum that is not NULL points to a varlena.
unsafe impl<'fcx> ArgAbi<'fcx> for State {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see above.
        let datum = unsafe { arg.unbox_arg_using_from_datum::<pg_sys::Datum>() };
        match datum.and_then(|datum| NonNull::new(datum.cast_mut_ptr::<pg_sys::varlena>())) {
            // SAFETY: only the header is read. A short, compressed or toasted value is unpacked into memory of its own.
            Some(state) if unsafe { varlena::varatt_is_4b_u(state.as_ptr()) } => Self(state),
            Some(state) => {
                // SAFETY: a valid varlena; the result is a valid one with a four-byte header.
                let plain = unsafe { pg_sys::pg_detoast_datum(state.as_ptr()) };
                Self(NonNull::new(plain).unwrap_or_else(|| report(&Error::internal())))
            }
            None => report(&Error::internal()),
        }
    }
}

// SAFETY: the pointer is a valid varlena that lives at least as long as the call.
unsafe impl BoxRet for State {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: see above.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0.as_ptr())) }
    }
}

impl State {
    /// A zeroed state of `length` bytes in the current memory context. When a transition function returns another
    /// pointer than it got, Postgres copies the value into the aggregate's memory and frees the old one.
    fn allocate(length: usize) -> Self {
        let total = length.saturating_add(pg_sys::VARHDRSZ);
        if total > MAX_ALLOC {
            report(&Error::OutOfMemory);
        }
        // SAFETY: palloc0 gives `total` bytes or raises an ERROR; the header makes them a valid varlena.
        let state = unsafe {
            let state = pg_sys::palloc0(total).cast::<pg_sys::varlena>();
            varlena::set_varsize_4b(state, total as i32);
            state
        };
        Self(NonNull::new(state).unwrap_or_else(|| report(&Error::OutOfMemory)))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the header is of four bytes and says how many there are.
        unsafe {
            let length = varlena::varsize_4b(self.0.as_ptr()).saturating_sub(pg_sys::VARHDRSZ);
            std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>().add(pg_sys::VARHDRSZ), length)
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; `InAggregate` is required wherever this is reached, so the memory is ours to change.
        unsafe {
            let length = varlena::varsize_4b(self.0.as_ptr()).saturating_sub(pg_sys::VARHDRSZ);
            std::slice::from_raw_parts_mut(self.0.as_ptr().cast::<u8>().add(pg_sys::VARHDRSZ), length)
        }
    }
}

/// Changes a state of plain bytes in place; it is grown with zeros to `least` bytes first.
pub fn edit(
    _: &InAggregate,
    state: Option<State>,
    least: usize,
    change: impl FnOnce(&mut [u8]) -> Result<()>,
) -> State {
    let mut state = match state {
        Some(state) if state.bytes().len() >= least => state,
        state => {
            let mut larger = State::allocate(least);
            if let Some(state) = state {
                copy(larger.bytes_mut(), 0, state.bytes());
            }
            larger
        }
    };
    change(state.bytes_mut()).or_report();
    state
}

/// A state that is a Rust value and never leaves its process: declared as `internal` in SQL, dropped with the group.
pub struct Kept<T>(NonNull<T>);

// SAFETY: declared as internal in SQL, so a datum that is not NULL is the pointer `keep` made.
unsafe impl<'fcx, T> ArgAbi<'fcx> for Kept<T> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see above.
        let datum = unsafe { arg.unbox_arg_using_from_datum::<pg_sys::Datum>() };
        match datum.and_then(|datum| NonNull::new(datum.cast_mut_ptr::<T>())) {
            Some(kept) => Self(kept),
            None => report(&Error::internal()),
        }
    }
}

// SAFETY: the pointer lives as long as the group.
unsafe impl<T> BoxRet for Kept<T> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: see above.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0.as_ptr())) }
    }
}

impl<T> Kept<T> {
    /// Keeps a value in the group's memory.
    pub fn keep(call: &InAggregate, value: T) -> Self {
        let kept = pgrx::PgMemoryContexts::For(call.memory).leak_and_drop_on_delete(value);
        Self(NonNull::new(kept).unwrap_or_else(|| report(&Error::OutOfMemory)))
    }

    /// The value; one function of the aggregate runs at a time.
    pub fn get(&mut self) -> &mut T {
        // SAFETY: see above.
        unsafe { self.0.as_mut() }
    }
}

/// The data of a state, wherever its bytes come from.
pub fn data(state: &[u8]) -> Result<&[u8]> {
    read(state).map(|(data, _, _)| data)
}

/// The data, its length after the last compaction, and the room for data.
fn read(state: &[u8]) -> Result<(&[u8], usize, usize)> {
    let wrong = || Error::corrupt("state", "is not the state of an aggregate");
    let (used, rest) = state.split_first_chunk::<4>().ok_or_else(wrong)?;
    let (compacted, room) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
    let data = room.get(..u32::from_le_bytes(*used) as usize).ok_or_else(wrong)?;
    Ok((data, u32::from_le_bytes(*compacted) as usize, room.len()))
}

/// Appends `length` bytes filled by `fill`, in place where they fit.
pub fn append(
    _: &InAggregate,
    state: Option<State>,
    length: usize,
    compact: Option<Compact>,
    fill: impl FnOnce(&mut [u8]) -> Result<()>,
) -> State {
    let mut state = state.unwrap_or_else(|| State::allocate(HEAD + length.max(LEAST_CAPACITY)));
    let (mut data, mut compacted, mut room) = read(state.bytes()).or_report();
    let smaller = match compact {
        Some(compact) if data.len() >= FIRST_COMPACTION.max(compacted.saturating_mul(2)) => {
            Some(compact(data).or_report())
        }
        _ => None,
    };
    if let Some(smaller) = &smaller {
        compacted = smaller.len();
        data = smaller;
    }
    let used = data.len();
    let needed = used.saturating_add(length);
    if needed > room {
        room = needed.max(room.saturating_mul(2).min(MAX_ALLOC - HEAD - pg_sys::VARHDRSZ));
        let mut larger = State::allocate(HEAD.saturating_add(room));
        copy(larger.bytes_mut(), HEAD, data);
        state = larger;
    } else if let Some(smaller) = &smaller {
        copy(state.bytes_mut(), HEAD, smaller);
    }
    let bytes = state.bytes_mut();
    fill(bytes.get_mut(HEAD + used..HEAD + needed).unwrap_or_default()).or_report();
    copy(bytes, 0, &(needed as u32).to_le_bytes());
    copy(bytes, 4, &(compacted as u32).to_le_bytes());
    state
}

/// Changes a state of a fixed length in place; `None` starts a new one.
pub fn update<const N: usize>(
    _: &InAggregate,
    state: Option<State>,
    change: impl FnOnce(Option<&[u8]>) -> Result<[u8; N]>,
) -> State {
    let bytes = change(state.as_ref().map(State::bytes)).or_report();
    let mut state = state.filter(|state| state.bytes().len() == N).unwrap_or_else(|| State::allocate(N));
    copy(state.bytes_mut(), 0, &bytes);
    state
}

/// Copies as much as fits, which is all of it.
fn copy(to: &mut [u8], at: usize, from: &[u8]) {
    if let Some(to) = to.get_mut(at..at.saturating_add(from.len())) {
        to.copy_from_slice(from);
    }
}
