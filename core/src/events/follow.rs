//! Making a value: from scratch, or from what it was and the contents that changed.

use super::{kind, name, Events, Kind, CORRUPT, MAGIC, PAD, UNITS};
use crate::bytes::{put_head, put_signed, put_unsigned, seal, Reader};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The most events a value holds: whoever has more is read from the log, because a value is written as a whole.
pub const MOST: usize = 100_000;

/// What changed: a sequence of records, so that merging is concatenation.
pub mod changes {
    use super::{Error, Reader, Result};

    const CORRUPT: Error = Error::corrupt("event_changes", "is not the state of changes");
    const HEAD: usize = 8 + 1;
    const EVENT: usize = 8 + 1 + 8 + 3 * 4;

    /// One event.
    #[derive(Debug, Clone, Copy, PartialEq)]
    #[allow(missing_docs)]
    pub struct Event<'a> {
        pub occurred_us: i64,
        pub action: &'a str,
        pub rating: Option<f64>,
        /// Experiment and variant, when the event names both.
        pub arm: Option<(&'a str, &'a str)>,
    }

    /// How many bytes [`write_row`] fills.
    pub fn row_len(event: Option<Event<'_>>) -> Result<usize> {
        let Some(event) = event else { return Ok(HEAD) };
        let mut length = HEAD + EVENT;
        for text in event.texts() {
            u32::try_from(text.len()).map_err(|_| Error::invalid("event", "is too long"))?;
            length = length.saturating_add(text.len());
        }
        Ok(length)
    }

    /// Writes one row into exactly [`row_len`] bytes: a content whose events are all in the changes, and one of them or none.
    pub fn write_row(out: &mut [u8], content: i64, event: Option<Event<'_>>) -> Result<()> {
        if out.len() != row_len(event)? {
            return Err(Error::Internal);
        }
        let mut out = out.iter_mut();
        let mut put = |bytes: &[u8]| bytes.iter().zip(out.by_ref()).for_each(|(byte, to)| *to = *byte);
        put(&content.to_le_bytes());
        put(&[u8::from(event.is_some())]);
        if let Some(event) = event {
            put(&event.occurred_us.to_le_bytes());
            put(&[u8::from(event.rating.is_some()) + 2 * u8::from(event.arm.is_some())]);
            put(&event.rating.unwrap_or_default().to_le_bytes());
            event.texts().iter().for_each(|text| put(&(text.len() as u32).to_le_bytes()));
            event.texts().iter().for_each(|text| put(text.as_bytes()));
        }
        Ok(())
    }

    impl<'a> Event<'a> {
        fn texts(&self) -> [&'a str; 3] {
            let (experiment, variant) = self.arm.unwrap_or_default();
            [self.action, experiment, variant]
        }
    }

    /// The rows: a content, and an event of it or none.
    pub(super) fn rows(changes: &[u8]) -> impl Iterator<Item = Result<(i64, Option<Event<'_>>)>> {
        let mut at = Reader::new(changes, CORRUPT);
        std::iter::from_fn(move || (!at.is_empty()).then(|| row(&mut at)))
    }

    fn row<'a>(at: &mut Reader<'a>) -> Result<(i64, Option<Event<'a>>)> {
        let content = i64::from_le_bytes(at.array()?);
        let [is_event] = at.array()?;
        if is_event == 0 {
            return Ok((content, None));
        }
        let occurred_us = i64::from_le_bytes(at.array()?);
        let [flags] = at.array()?;
        let rating = f64::from_le_bytes(at.array()?);
        let mut length = || Ok::<_, Error>(u32::from_le_bytes(at.array()?) as usize);
        let [action, experiment, variant] = [length()?, length()?, length()?];
        let [action, experiment, variant] = [at.text(action)?, at.text(experiment)?, at.text(variant)?];
        let rating = (flags & 1 == 1).then_some(rating);
        let arm = (flags & 2 == 2).then_some((experiment, variant));
        Ok((content, Some(Event { occurred_us, action, rating, arm })))
    }
}

/// A user's events after changes: those of the contents that changed are replaced. `None` when none of them names a variant
/// of an experiment; no bytes when they are more than [`MOST`].
pub fn follow(events: Option<&[u8]>, changes: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut built = Built::default();
    let mut changed = Vec::new();
    for row in changes::rows(changes) {
        let (content, event) = row?;
        if changed.last() != Some(&content) {
            changed.try_reserve(1)?;
            changed.push(content);
        }
        if let Some(event) = event {
            let kind = built.kinds.of((event.action.as_bytes(), event.rating.map(f64::to_bits)))?;
            let arm = event.arm.map(|(experiment, variant)| (experiment.as_bytes(), variant.as_bytes()));
            let arm = arm.map(|arm| built.arms.of(arm)).transpose()?;
            built.add(Entry { occurred_us: event.occurred_us, content, kind, arm })?;
        }
    }
    changed.sort_unstable();
    if let Some(events) = events {
        built.keep(events, &changed)?;
    }
    if built.entries.iter().all(|entry| entry.arm.is_none()) {
        return Ok(None);
    }
    if built.entries.len() > MOST {
        return Ok(Some(Vec::new()));
    }
    built.write().map(Some)
}

/// One event, its kind and arm by their numbers in the lists.
#[derive(Clone, Copy)]
struct Entry {
    occurred_us: i64,
    content: i64,
    kind: u32,
    arm: Option<u32>,
}

#[derive(Default)]
struct Built<'a> {
    entries: Vec<Entry>,
    kinds: List<Kind<'a>>,
    /// Experiment and variant.
    arms: List<(&'a [u8], &'a [u8])>,
}

impl<'a> Built<'a> {
    fn add(&mut self, entry: Entry) -> Result<()> {
        self.entries.try_reserve(1)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds what a value holds of other contents.
    fn keep(&mut self, events: &'a [u8], changed: &[i64]) -> Result<()> {
        let events = Events::read(events)?;
        let mut lists = events.lists.clone();
        let mut arms = vec![None];
        for _ in 0..lists.length()? {
            let experiment = name(&mut lists)?;
            for _ in 0..lists.length()? {
                arms.push(Some(self.arms.of((experiment, name(&mut lists)?))?));
            }
        }
        let kinds = lists.length()?;
        let kinds: Vec<u32> = (0..kinds).map(|_| self.kinds.of(kind(&mut lists)?)).collect::<Result<_>>()?;
        let code = |column: u64| usize::try_from(column).map_err(|_| CORRUPT);
        for i in 0..events.count {
            let content = events.least_content.wrapping_add_unsigned(events.contents.get(i));
            if changed.binary_search(&content).is_err() {
                let kind = *kinds.get(code(events.kind_of.get(i))?).ok_or(CORRUPT)?;
                let arm = *arms.get(code(events.arms.get(i))?).ok_or(CORRUPT)?;
                self.add(Entry { occurred_us: events.time(i), content, kind, arm })?;
            }
        }
        Ok(())
    }

    fn write(mut self) -> Result<Vec<u8>> {
        // In the order of the lists' values, and only what is in use, so that equal events give equal bytes.
        let (kinds, kind_codes) = self.kinds.used(self.entries.iter().map(|entry| Some(entry.kind)))?;
        let (arms, arm_codes) = self.arms.used(self.entries.iter().map(|entry| entry.arm))?;
        let code = |codes: &[u32], number: u32| codes.get(number as usize).copied().ok_or(Error::Internal);
        for entry in &mut self.entries {
            entry.kind = code(&kind_codes, entry.kind)?;
            entry.arm = entry.arm.map(|arm| code(&arm_codes, arm)).transpose()?;
        }
        self.entries.sort_by_key(|entry| (entry.occurred_us, entry.content, entry.kind, entry.arm));
        let first_us = self.entries.first().ok_or(Error::Internal)?.occurred_us;
        let least_content = self.entries.iter().map(|entry| entry.content).min().ok_or(Error::Internal)?;
        let lists = lists(&arms, &kinds)?;
        // As unsigned numbers the differences of sorted times are right whatever they are.
        let since = |entry: &Entry| entry.occurred_us.wrapping_sub(first_us) as u64;
        let whole = |unit: &&(usize, &u64)| self.entries.iter().all(|entry| since(entry).is_multiple_of(*unit.1));
        let (unit_code, unit) = UNITS.iter().enumerate().rev().find(|unit| whole(&unit)).ok_or(Error::Internal)?;
        let columns: [&dyn Fn(&Entry) -> u64; 4] = [
            &|entry| since(entry) / unit,
            &|entry| entry.arm.map_or(0, |arm| u64::from(arm) + 1),
            &|entry| u64::from(entry.kind),
            &|entry| entry.content.wrapping_sub(least_content) as u64,
        ];
        let widths = columns.map(|value| width(self.entries.iter().map(value).max().unwrap_or_default()));
        let mut out = Vec::new();
        out.try_reserve(64 + lists.len() + self.entries.len() * widths.iter().sum::<usize>())?;
        put_head(&mut out, MAGIC);
        out.push(unit_code as u8);
        out.extend(widths.map(|width| width as u8));
        put_unsigned(&mut out, self.entries.len() as u64)?;
        put_signed(&mut out, first_us)?;
        put_signed(&mut out, least_content)?;
        put_unsigned(&mut out, lists.len() as u64)?;
        out.extend(lists);
        for (value, width) in columns.into_iter().zip(widths) {
            for entry in &self.entries {
                out.extend(value(entry).to_le_bytes().into_iter().take(width));
            }
        }
        out.extend([0; PAD]);
        seal(&mut out)?;
        Ok(out)
    }
}

fn lists(arms: &[(&[u8], &[u8])], kinds: &[Kind<'_>]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let experiments: Vec<_> = arms.chunk_by(|(a, _), (b, _)| a == b).collect();
    put_unsigned(&mut out, experiments.len() as u64)?;
    for variants in experiments {
        let experiment = variants.first().map_or(&[][..], |(experiment, _)| experiment);
        put_unsigned(&mut out, experiment.len() as u64)?;
        put(&mut out, experiment)?;
        put_unsigned(&mut out, variants.len() as u64)?;
        for (_, variant) in variants {
            put_unsigned(&mut out, variant.len() as u64)?;
            put(&mut out, variant)?;
        }
    }
    put_unsigned(&mut out, kinds.len() as u64)?;
    for (action, rating) in kinds {
        put_unsigned(&mut out, (action.len() as u64) << 1 | u64::from(rating.is_some()))?;
        put(&mut out, action)?;
        put(&mut out, rating.map(u64::to_le_bytes).as_ref().map_or(&[], |bits| &bits[..]))?;
    }
    Ok(out)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    out.try_reserve(bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Bytes that hold a number.
const fn width(number: u64) -> usize {
    (64 - number.leading_zeros() as usize).div_ceil(8)
}

/// Distinct values, numbered as they come.
struct List<T>(BTreeMap<T, u32>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> List<T> {
    fn of(&mut self, value: T) -> Result<u32> {
        let next = u32::try_from(self.0.len()).map_err(|_| Error::OutOfMemory)?;
        Ok(*self.0.entry(value).or_insert(next))
    }

    /// The values in use in their order, and by number the place of each among them.
    fn used(&self, numbers: impl Iterator<Item = Option<u32>>) -> Result<(Vec<T>, Vec<u32>)> {
        const UNUSED: u32 = u32::MAX;
        let mut places = vec![UNUSED; self.0.len()];
        for number in numbers.flatten() {
            *places.get_mut(number as usize).ok_or(Error::Internal)? = 0;
        }
        let mut used = Vec::new();
        for (value, number) in &self.0 {
            let place = places.get_mut(*number as usize).ok_or(Error::Internal)?;
            if *place != UNUSED {
                *place = used.len() as u32;
                used.push(*value);
            }
        }
        Ok((used, places))
    }
}
