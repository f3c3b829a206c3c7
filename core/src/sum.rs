//! A sum of doubles that does not depend on the order of its terms, after the binned reproducible summation of
//! Demmel and Nguyen ("Parallel Reproducible Summation", 2015), here with integer bins.
//!
//! A term is an integer times a power of two; its bits are cut at multiples of 32 and added to one integer per cut.
//! The five bins below the highest one seen are kept, so at least 96 bits below the largest term count, more than the
//! 53 of a double. What falls below the kept bins is dropped whenever it comes, so every order and every split of the
//! terms gives the same bins, hence the same bits.

use crate::bytes::{put_signed, put_unsigned, Reader};
use crate::{Error, Result};

const BINS: usize = 5;
const LIMB: i64 = 32;
/// No bin of a term is further from that of 1, whatever its exponent.
const FURTHEST: u64 = 1 << 59;

/// An order-free sum. `add` and `merge` commute and associate exactly.
///
/// ```
/// use cotaste_core::sum::ReproducibleSum;
/// let mut sum = ReproducibleSum::default();
/// for term in [1e16, 1.0, -1e16] { sum.add(term).unwrap(); }
/// assert_eq!(sum.value(), Ok(1.0));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReproducibleSum {
    terms: u64,
    /// Index of the highest bin; bin `k` counts multiples of `2^(32 k)`. Meaningless while all bins are empty.
    top: i64,
    used: bool,
    /// From the highest bin downwards.
    bins: [i64; BINS],
}

impl ReproducibleSum {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 2 + 8 + 8 + 8 * BINS;
    const VERSION: u8 = 1;

    /// Adds one finite term.
    pub fn add(&mut self, term: f64) -> Result<()> {
        self.add_scaled(term, 0)
    }

    /// Adds `term * 2^exponent`, which need not be in the range of a double.
    pub fn add_scaled(&mut self, term: f64, exponent: i64) -> Result<()> {
        if !term.is_finite() {
            return Err(Error::invalid("value", format!("{term} cannot be summed")));
        }
        self.terms = self.terms.saturating_add(1);
        if term == 0.0 {
            return Ok(());
        }
        let (mantissa, own) = decompose(term);
        let position = own.saturating_add(exponent);
        let low = position.div_euclid(LIMB);
        let shifted = i128::from(mantissa.unsigned_abs()) << position.rem_euclid(LIMB);
        self.raise(low.saturating_add(2));
        for limb in 0..3 {
            let part = ((shifted >> (LIMB * limb)) & 0xffff_ffff) as i64;
            self.deposit(low.saturating_add(limb), if mantissa < 0 { -part } else { part })?;
        }
        Ok(())
    }

    /// Adds another sum: the same as adding all its terms.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.terms = self.terms.saturating_add(other.terms);
        if !other.used {
            return Ok(());
        }
        self.raise(other.top);
        for (down, part) in (0i64..).zip(other.bins) {
            self.deposit(other.top.saturating_sub(down), part)?;
        }
        Ok(())
    }

    /// How many terms were added.
    pub const fn terms(&self) -> u64 {
        self.terms
    }

    /// The sum, rounded once to the nearest double.
    pub fn value(&self) -> Result<f64> {
        let (mantissa, exponent) = self.scaled();
        let value = scale(mantissa, exponent);
        if value.is_finite() {
            return Ok(value);
        }
        Err(Error::invalid("value", "the sum is outside the range of a double"))
    }

    /// The sum as `mantissa * 2^exponent` with the mantissa 0 or in [0.5, 1) in absolute value.
    pub fn scaled(&self) -> (f64, i64) {
        // Carry upwards from the lowest bin, as two's complement, then take the 64 leading bits and a sticky one.
        let mut limbs = [0u32; BINS + 1];
        let negative = self.sign_is_negative();
        let mut carry = 0i128;
        for (limb, bin) in limbs.iter_mut().zip(self.bins.iter().rev()) {
            let bin = i128::from(*bin);
            carry += if negative { -bin } else { bin };
            *limb = (carry & 0xffff_ffff) as u32;
            carry >>= 32;
        }
        if let Some(last) = limbs.last_mut() {
            *last = carry as u32;
        }
        let Some(first) = limbs.iter().rposition(|limb| *limb != 0) else {
            return (0.0, 0);
        };
        let limb = |back: usize| first.checked_sub(back).and_then(|at| limbs.get(at)).map_or(0u128, |l| u128::from(*l));
        let window = (limb(0) << 64) | (limb(1) << 32) | limb(2);
        let sticky = first >= 3 && limbs.iter().take(first - 2).any(|l| *l != 0);
        let shift = 96 - (128 - window.leading_zeros()); // leading zeros inside the 96-bit window, at most 31
        let aligned = window << shift;
        let leading = (aligned >> 32) as u64 | u64::from(sticky || aligned & 0xffff_ffff != 0);
        let magnitude = leading as f64 * 2f64.powi(-64);
        let (magnitude, extra) = if magnitude >= 1.0 { (magnitude / 2.0, 1) } else { (magnitude, 0) };
        let lowest = self.top.saturating_sub(BINS as i64 - 1);
        let exponent = lowest
            .saturating_add(first as i64 + 1)
            .saturating_mul(LIMB)
            .saturating_sub(i64::from(shift))
            .saturating_add(extra);
        (if negative { -magnitude } else { magnitude }, exponent)
    }

    /// The state as bytes, equal for equal sums of the same terms.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let words = [self.terms as i64, self.top].into_iter().chain(self.bins);
        let bytes = [Self::VERSION, u8::from(self.used)].into_iter().chain(words.flat_map(i64::to_le_bytes));
        for (to, byte) in out.iter_mut().zip(bytes) {
            *to = byte;
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = Error::corrupt("reproducible_sum", "is not the state of a sum");
        let [Self::VERSION, used @ 0..=1, words @ ..] = bytes else { return Err(wrong) };
        if bytes.len() != Self::BYTES {
            return Err(wrong);
        }
        let mut words = words.chunks_exact(8).filter_map(|w| w.try_into().ok().map(i64::from_le_bytes));
        let mut next = || words.next().unwrap_or_default();
        let (terms, top) = (next() as u64, next());
        let mut bins = [0; BINS];
        bins.fill_with(next);
        if *used == 0 && bins != [0; BINS] || top.unsigned_abs() > FURTHEST {
            return Err(wrong);
        }
        Ok(Self { terms, top, used: *used == 1, bins })
    }

    /// The same in few bytes: terms, then 0, or 1 with the highest bin's index and the bins.
    pub(crate) fn put(&self, out: &mut Vec<u8>) -> Result<()> {
        put_unsigned(out, self.terms)?;
        put_unsigned(out, self.used.into())?;
        if self.used {
            put_signed(out, self.top)?;
            self.bins.iter().try_for_each(|bin| put_signed(out, *bin))?;
        }
        Ok(())
    }

    /// Reads what [`Self::put`] wrote.
    pub(crate) fn read(at: &mut Reader<'_>) -> Result<Self> {
        let mut sum = Self { terms: at.unsigned()?, ..Self::default() };
        match at.unsigned()? {
            0 => Ok(sum),
            1 => {
                (sum.used, sum.top) = (true, at.signed()?);
                for bin in &mut sum.bins {
                    *bin = at.signed()?;
                }
                (sum.top.unsigned_abs() <= FURTHEST).then_some(sum).ok_or_else(|| at.wrong())
            }
            _ => Err(at.wrong()),
        }
    }

    /// Makes `top` at least `bin`, dropping what falls out below.
    fn raise(&mut self, bin: i64) {
        if !self.used {
            self.used = true;
            self.top = bin;
        }
        let up = usize::try_from(bin.saturating_sub(self.top)).unwrap_or(0).min(BINS);
        if bin > self.top {
            self.bins.rotate_right(up);
            self.bins.iter_mut().take(up).for_each(|b| *b = 0);
            self.top = bin;
        }
    }

    fn deposit(&mut self, bin: i64, part: i64) -> Result<()> {
        let down = usize::try_from(self.top.saturating_sub(bin)).unwrap_or(usize::MAX);
        if let Some(to) = self.bins.get_mut(down) {
            *to = to.checked_add(part).ok_or_else(|| Error::invalid("value", "too many terms in one sum"))?;
        }
        Ok(())
    }

    fn sign_is_negative(&self) -> bool {
        let carried = self.bins.iter().rev().fold(0i128, |carry, bin| (carry >> 32) + i128::from(*bin));
        carried < 0
    }
}

/// A finite non-zero double as integer mantissa and power of two.
pub(crate) fn decompose(x: f64) -> (i64, i64) {
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64;
    let fraction = (bits & 0xf_ffff_ffff_ffff) as i64;
    let (mantissa, exponent) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    (if x < 0.0 { -mantissa } else { mantissa }, exponent)
}

/// `x * 2^exponent`, infinite or 0 when that is out of range.
pub(crate) fn scale(x: f64, exponent: i64) -> f64 {
    libm::ldexp(x, exponent.clamp(-10_000, 10_000) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(terms: &[f64]) -> ReproducibleSum {
        let mut sum = ReproducibleSum::default();
        for term in terms {
            sum.add(*term).unwrap();
        }
        sum
    }

    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |x| x.is_finite() && x.abs() < 1e290),
            -1e3..1e3f64,
            (-1000i32..1000).prop_map(f64::from)
        ]
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_give_the_same_bits(terms in prop::collection::vec(finite(), 0..60), cut in 0usize..60, turn in 0usize..60) {
            let whole = sum(&terms);
            let mut turned = terms.clone();
            turned.rotate_left(turn % terms.len().max(1));
            turned.reverse();
            prop_assert_eq!(&sum(&turned), &whole);
            let cut = cut.min(terms.len());
            let mut left = sum(&terms[..cut]);
            left.merge(&sum(&terms[cut..])).unwrap();
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(ReproducibleSum::from_bytes(&whole.to_bytes()).unwrap(), whole);
        }

        #[test]
        fn one_term_is_itself(x in finite()) {
            prop_assert_eq!(sum(&[x]).value().unwrap(), x);
        }

        #[test]
        fn integers_sum_exactly(terms in prop::collection::vec(-1_000_000_000i64..1_000_000_000, 0..200)) {
            let doubles: Vec<f64> = terms.iter().map(|t| *t as f64).collect();
            prop_assert_eq!(sum(&doubles).value().unwrap(), terms.iter().sum::<i64>() as f64);
        }

        #[test]
        fn a_scaled_term_is_the_term_times_a_power_of_two(x in -1e3..1e3f64, exponent in -300i64..300) {
            let mut scaled = ReproducibleSum::default();
            scaled.add_scaled(x, exponent).unwrap();
            prop_assert_eq!(scaled.value().unwrap(), scale(x, exponent));
        }
    }

    #[test]
    fn hostile_bytes_are_told() {
        for bytes in [&[][..], &[1], &[9; ReproducibleSum::BYTES], &[1; ReproducibleSum::BYTES + 1]] {
            assert_eq!(ReproducibleSum::from_bytes(bytes).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
        let _ = ReproducibleSum::from_bytes(&[1; ReproducibleSum::BYTES]).unwrap().scaled();
    }

    #[test]
    fn states_that_no_terms_make_are_told_or_read_as_they_are() {
        let state = |used: u8, top: i64, bin: i64| {
            let words = [3, top, bin, 0, 0, 0, 0];
            [&[1, used][..], &words.map(i64::to_le_bytes).concat()].concat()
        };
        for (used, top, bin) in [(0, 0, 5), (1, i64::MIN, 5), (1, i64::MAX, 5), (2, 0, 5)] {
            let read = ReproducibleSum::from_bytes(&state(used, top, bin));
            assert_eq!(read.map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
        let least = ReproducibleSum::from_bytes(&state(1, 4, i64::MIN)).unwrap();
        assert_eq!(least.scaled(), (-0.5, 128 + 64));
    }
}
