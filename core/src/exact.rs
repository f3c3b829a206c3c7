//! An exact sum of doubles times powers of two: what was added can be taken out again, to the last bit.
//!
//! The value is kept as signed digits of 32 bits at multiples of `2^32`, as many as the terms need and no others
//! (after Kulisch's long accumulator). Digits are balanced, between -2^31 and 2^31 - 1, so every value has one
//! representation and a carry never runs across a gap: equal sums are equal bytes, whatever terms made them.

use crate::bytes::{put_signed, put_unsigned, Reader};
use crate::sum::decompose;
use crate::{Error, Result};

const LIMB: i64 = 32;
const BASE: i64 = 1 << LIMB;
/// Below this a digit may grow before it is balanced: 2^30 terms of less than 2^32.
const SETTLED: i64 = 1 << 62;

/// An exact sum. Adding and taking out commute and associate exactly.
///
/// ```
/// use cotaste_core::exact::ExactSum;
/// let mut sum = ExactSum::default();
/// sum.add(1e300, 0).unwrap();
/// sum.add(1.0, 0).unwrap();
/// sum.add(-1e300, 0).unwrap();
/// assert_eq!(sum.scaled(), (0.5, 1));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExactSum {
    /// `(k, digit)`: digit times `2^(32 k)`, ascending by `k`.
    digits: Vec<(i64, i64)>,
}

impl ExactSum {
    /// Adds `term * 2^exponent`; the term is finite.
    pub fn add(&mut self, term: f64, exponent: i64) -> Result<()> {
        if !term.is_finite() {
            return Err(Error::invalid("value", format!("{term} cannot be summed")));
        }
        if term == 0.0 {
            return Ok(());
        }
        let (mantissa, own) = decompose(term);
        let position = own.saturating_add(exponent);
        let low = position.div_euclid(LIMB);
        let shifted = i128::from(mantissa.unsigned_abs()) << position.rem_euclid(LIMB);
        for limb in 0..3 {
            let part = ((shifted >> (LIMB * limb)) & 0xffff_ffff) as i64;
            if part != 0 {
                self.deposit(low.saturating_add(limb), if mantissa < 0 { -part } else { part })?;
            }
        }
        Ok(())
    }

    /// Adds all of another sum.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        other.digits.iter().try_for_each(|(k, digit)| self.deposit(*k, *digit))
    }

    fn deposit(&mut self, k: i64, part: i64) -> Result<()> {
        let at = self.digits.partition_point(|(index, _)| *index < k);
        match self.digits.get_mut(at) {
            Some((index, digit)) if *index == k => {
                *digit += part;
                if digit.abs() >= SETTLED {
                    self.settle()?;
                }
            }
            _ => {
                self.digits.try_reserve(1)?;
                self.digits.insert(at, (k, part));
            }
        }
        Ok(())
    }

    /// Balances the digits: the one representation of the value.
    pub fn settle(&mut self) -> Result<()> {
        let mut settled: Vec<(i64, i64)> = Vec::new();
        settled.try_reserve(self.digits.len() + 2)?;
        let mut carry = (0, 0);
        let digits = std::mem::take(&mut self.digits);
        for (k, digit) in digits {
            // A carry into a gap is small enough to be a digit of its own.
            if carry.1 != 0 && carry.0 < k {
                push(&mut settled, carry)?;
                carry = (k, 0);
            }
            let whole = digit + if carry.0 == k { carry.1 } else { 0 };
            let low = (whole + BASE / 2).rem_euclid(BASE) - BASE / 2;
            push(&mut settled, (k, low))?;
            carry = (k.saturating_add(1), (whole - low) / BASE);
        }
        while carry.1 != 0 {
            let low = (carry.1 + BASE / 2).rem_euclid(BASE) - BASE / 2;
            push(&mut settled, (carry.0, low))?;
            carry = (carry.0.saturating_add(1), (carry.1 - low) / BASE);
        }
        self.digits = settled;
        Ok(())
    }

    /// The settled digits: `(k, digit)`, ascending, none 0.
    pub fn digits(&mut self) -> Result<&[(i64, i64)]> {
        self.settle()?;
        Ok(&self.digits)
    }

    /// Takes what [`Self::digits`] gave.
    pub fn from_digits(digits: Vec<(i64, i64)>) -> Self {
        Self { digits }
    }

    /// The sum rounded once, as `mantissa * 2^exponent` with the mantissa 0 or in [0.5, 1) in absolute value.
    pub fn scaled(&self) -> (f64, i64) {
        let mut settled = self.clone();
        if settled.settle().is_err() {
            return (0.0, 0);
        }
        let Some(&(top, _)) = settled.digits.last() else { return (0.0, 0) };
        // The three places from the highest digit down hold 63 bits at least, more than a double and its rounding; what is
        // below them only tells on which side of them the value lies. (Four would not fit: -2^31 and less than 0 below it.)
        let lowest = top.saturating_sub(2);
        let mut window = 0i128;
        let mut below = 0i64;
        for (k, digit) in &settled.digits {
            match k.checked_sub(lowest) {
                Some(place @ 0..=2) => window += i128::from(*digit) << (LIMB * place),
                _ => below = *digit,
            }
        }
        let negative = window < 0;
        let mut magnitude = window.unsigned_abs();
        let sticky = below != 0;
        if sticky && (below < 0) != negative {
            magnitude -= 1;
        }
        let shift = magnitude.leading_zeros();
        let aligned = magnitude << shift;
        let leading = (aligned >> 64) as u64 | u64::from(sticky || aligned as u64 != 0);
        let mantissa = leading as f64 * 2f64.powi(-64);
        let (mantissa, extra) = if mantissa >= 1.0 { (mantissa / 2.0, 1) } else { (mantissa, 0) };
        let exponent = lowest.saturating_mul(LIMB).saturating_add(128 - i64::from(shift) + extra);
        (if negative { -mantissa } else { mantissa }, exponent)
    }
}

fn push(digits: &mut Vec<(i64, i64)>, digit: (i64, i64)) -> Result<()> {
    if digit.1 != 0 {
        digits.try_reserve(1)?;
        digits.push(digit);
    }
    Ok(())
}

/// Writes a sum (layout in `taste::ledger`); its bytes depend on its value alone.
pub(crate) fn put_sum(out: &mut Vec<u8>, mut sum: ExactSum) -> Result<()> {
    let digits = sum.digits()?;
    put_unsigned(out, digits.len() as u64)?;
    let mut last = None;
    for (place, digit) in digits {
        match last.replace(*place) {
            Some(before) => put_unsigned(out, place.wrapping_sub(before) as u64)?,
            None => put_signed(out, *place)?,
        }
        put_signed(out, *digit)?;
    }
    Ok(())
}

/// Reads what [`put_sum`] wrote.
pub(crate) fn read_sum(at: &mut Reader<'_>) -> Result<ExactSum> {
    let mut digits: Vec<(i64, i64)> = Vec::new();
    for _ in 0..at.length()? {
        let place = match digits.last() {
            Some((before, _)) => before.checked_add_unsigned(at.unsigned()?).ok_or_else(|| at.wrong())?,
            None => at.signed()?,
        };
        let digit = at.signed()?;
        let ascending = digits.last().is_none_or(|(before, _)| *before < place);
        if digit == 0 || digit.unsigned_abs() > 1 << 31 || !ascending || place.unsigned_abs() > 1 << 58 {
            return Err(at.wrong());
        }
        digits.try_reserve(1)?;
        digits.push((place, digit));
    }
    Ok(ExactSum::from_digits(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sum::ReproducibleSum;
    use proptest::prelude::*;

    fn terms() -> impl Strategy<Value = Vec<(f64, i64)>> {
        let term = prop_oneof![-1e3..1e3f64, any::<f64>().prop_filter("finite", |x| x.is_finite())];
        prop::collection::vec((term, prop_oneof![-3i64..3, -2000i64..2000, -1_000_000_000i64..1_000_000_000]), 0..40)
    }

    fn sum(terms: &[(f64, i64)]) -> ExactSum {
        let mut sum = ExactSum::default();
        for (term, exponent) in terms {
            sum.add(*term, *exponent).unwrap();
        }
        sum.settle().unwrap();
        sum
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_give_the_same_digits(terms in terms(), cut in 0usize..40) {
            let whole = sum(&terms);
            let reversed: Vec<_> = terms.iter().rev().copied().collect();
            prop_assert_eq!(&sum(&reversed), &whole);
            let cut = cut.min(terms.len());
            let mut halves = sum(&terms[..cut]);
            halves.merge(&sum(&terms[cut..])).unwrap();
            halves.settle().unwrap();
            prop_assert_eq!(&halves, &whole);
            prop_assert!(whole.digits.iter().all(|(_, d)| *d != 0 && (-BASE / 2..BASE / 2).contains(d)));
        }

        #[test]
        fn what_was_added_can_be_taken_out(terms in terms(), more in terms()) {
            let mut all = sum(&terms);
            all.merge(&sum(&more)).unwrap();
            for (term, exponent) in more.iter().rev() {
                all.add(-term, *exponent).unwrap();
            }
            all.settle().unwrap();
            prop_assert_eq!(all, sum(&terms));
        }

        #[test]
        fn it_rounds_as_the_sum_that_drops_far_terms(terms in prop::collection::vec((-1e3..1e3f64, -20i64..20), 0..40)) {
            let mut other = ReproducibleSum::default();
            for (term, exponent) in &terms {
                other.add_scaled(*term, *exponent).unwrap();
            }
            prop_assert_eq!(sum(&terms).scaled(), other.scaled());
        }

        #[test]
        fn one_term_is_itself(x in any::<f64>().prop_filter("finite", |x| x.is_finite()), exponent in -9i64..9) {
            let (mantissa, power) = sum(&[(x, exponent)]).scaled();
            prop_assert_eq!(crate::sum::scale(mantissa, power - exponent), x);
            prop_assert!(x == 0.0 || (0.5..1.0).contains(&mantissa.abs()));
        }
    }

    #[test]
    fn the_lowest_digit_there_is_keeps_its_sign_with_more_below_it() {
        let lowest = -2_147_483_648.0;
        assert_eq!(sum(&[(lowest, 0), (-0.25, 0)]).scaled(), (-0.500_000_000_058_207_7, 32));
        assert_eq!(sum(&[(lowest, 0), (0.25, 0)]).scaled().1, 31);
        assert_eq!(sum(&[(lowest, 64), (lowest, 32), (lowest, 0), (lowest, -32)]).scaled().0.signum(), -1.0);
    }
}
