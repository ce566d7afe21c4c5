//! [`Value`]: what can travel between a case and its participants.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that can travel from a participant to its case.
pub trait Value: Serialize + DeserializeOwned + Debug {}

impl<T: Serialize + DeserializeOwned + Debug> Value for T {}
