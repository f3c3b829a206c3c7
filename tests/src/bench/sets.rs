//! The users of a data set as sets of contents and unit vectors of genres, computed from its events without a database:
//! what contenders that keep everything in RAM, and those on materialised tables, are given.

use super::data::Data;
use crate::random::Random;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const HALF_LIFE: f64 = 720.0 * 3600.0;

pub struct Sets {
    /// In the order of the bytes; a user's place is its ordinal.
    pub users: Vec<String>,
    /// The contents of each user, by their place in the catalogue, ascending.
    pub items: Vec<Vec<u32>>,
    /// The ids of the catalogue.
    pub contents: Vec<i64>,
    /// How many genres there are.
    pub genres: usize,
    /// So many weights a user.
    weights: Vec<f32>,
    /// The time of the last event, in seconds since 1970.
    pub last: i64,
}

impl Sets {
    pub fn of(data: &Data) -> Result<Self> {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for genre in data.contents.iter().flat_map(|content| &content.genres) {
            let next = names.len();
            names.entry(genre).or_insert(next);
        }
        let genres = names.len();
        let places: HashMap<i64, usize> = data.contents.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        let mut ordinals: HashMap<String, usize> = HashMap::new();
        let (mut items, mut weights): (Vec<Vec<u32>>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut last = i64::MIN;
        for event in data.events()? {
            let place = *places.get(&event.content).context("an event of no content")?;
            let weight =
                weight(&event.action, event.rating) * ((event.seconds - 1_782_864_000) as f64 / HALF_LIFE).exp2();
            let next = ordinals.len();
            let user = *ordinals.entry(event.user).or_insert(next);
            if user == next {
                items.push(Vec::new());
                weights.resize(weights.len() + genres, 0.0);
            }
            if event.action != "skip" {
                items[user].push(place as u32);
            }
            let own = &data.contents[place].genres;
            for genre in own {
                weights[user * genres + names[genre.as_str()]] += weight / own.len() as f64;
            }
            last = last.max(event.seconds);
        }
        let mut order: Vec<(String, usize)> = ordinals.into_iter().collect();
        order.sort();
        let mut sets = Sets {
            users: Vec::with_capacity(order.len()),
            items: Vec::with_capacity(order.len()),
            contents: data.contents.iter().map(|content| content.id).collect(),
            genres,
            weights: Vec::with_capacity(weights.len()),
            last,
        };
        for (name, place) in order {
            let mut own = std::mem::take(&mut items[place]);
            own.sort_unstable();
            own.dedup();
            sets.users.push(name);
            sets.items.push(own);
            sets.weights.extend(unit(&weights[place * genres..][..genres]));
        }
        Ok(sets)
    }

    /// The genre weights of a user, of length 1 (or all 0).
    pub fn weights(&self, user: usize) -> &[f32] {
        &self.weights[user * self.genres..][..self.genres]
    }

    /// The ordinals of so many random users, always the same.
    pub fn sample(&self, size: usize) -> Vec<usize> {
        Random::new(20).sample(self.users.len(), size)
    }

    /// One file for the contenders that are programs: little-endian, 32 bits a number: users, contents, genres; where
    /// each user's contents begin, and the end; the contents; the weights.
    pub fn write(&self, target: &Path, name: &str) -> Result<PathBuf> {
        let path = target.join(format!("bench/{}.sets", name.replace(' ', "-")));
        let mut file = BufWriter::new(File::create(&path)?);
        let mut write = |number: u32| file.write_all(&number.to_le_bytes());
        for count in [self.users.len(), self.contents.len(), self.genres] {
            write(count as u32)?;
        }
        let mut place = 0;
        write(place)?;
        for items in &self.items {
            place += items.len() as u32;
            write(place)?;
        }
        self.items.iter().flatten().try_for_each(|item| write(*item))?;
        self.weights.iter().try_for_each(|weight| write(weight.to_bits()))?;
        file.flush()?;
        Ok(path)
    }
}

/// The settings a space starts with.
fn weight(action: &str, rating: Option<f64>) -> f64 {
    match action {
        "view" => 1.0,
        "complete" => 2.0,
        "like" => 3.0,
        "skip" => -1.0,
        "rate" => rating.map_or(0.0, |rating| (rating - 5.0) / 2.5),
        _ => 0.0,
    }
}

fn unit(weights: &[f64]) -> impl Iterator<Item = f32> + '_ {
    let largest = weights.iter().fold(0.0, |largest: f64, weight| largest.max(*weight));
    let scaled = move |weight: &f64| if largest > 0.0 { weight.max(0.0) / largest } else { 0.0 };
    let length = weights.iter().map(|weight| scaled(weight).powi(2)).sum::<f64>().sqrt();
    // What vanishes beside the rest is left out: Postgres refuses products of single precision that underflow.
    let part = move |weight: &f64| if length > 0.0 { scaled(weight) / length } else { 0.0 };
    weights.iter().map(part).map(|weight| if weight > 1e-15 { weight as f32 } else { 0.0 })
}
