//! Waiting for a condition instead of for time.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kube::Api;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// First pause between two looks; later ones grow up to [`SLOWEST`].
const QUICKEST: Duration = Duration::from_millis(5);

/// Longest pause between two looks.
const SLOWEST: Duration = Duration::from_millis(100);

/// What one look found: the value that was waited for, or a description of the present state.
pub trait Look {
    /// What is waited for.
    type Value;

    /// The value, or the state to show when time runs out.
    ///
    /// # Errors
    /// The state, when it is not yet what is waited for.
    fn judge(self) -> Result<Self::Value, String>;
}

impl<T> Look for Option<T> {
    type Value = T;

    fn judge(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

/// An error is a state like any other: it may pass.
impl<T, E: Display> Look for Result<T, E> {
    type Value = T;

    fn judge(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Looks again and again until `look` finds what is waited for.
///
/// # Errors
/// After `timeout`, with what was awaited and what was seen last.
pub async fn eventually<L: Look>(
    what: impl Display,
    timeout: Duration,
    mut look: impl AsyncFnMut() -> L,
) -> Result<L::Value> {
    let begun = Instant::now();
    let mut pause = QUICKEST;
    let mut seen = "not even the first look came back".to_owned();
    while let Some(left) = timeout.checked_sub(begun.elapsed()) {
        match tokio::time::timeout(left, look()).await {
            Ok(found) => match found.judge() {
                Ok(value) => return Ok(value),
                Err(state) => seen = state,
            },
            Err(_) => break,
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 3 / 2).min(SLOWEST);
    }
    bail!("waited {timeout:?} for {what}; last seen: {seen}")
}

/// Waits until an object satisfies `condition`, and returns it.
///
/// # Errors
/// After `timeout`, with the whole object as seen last.
pub async fn object<K>(
    api: &Api<K>,
    name: &str,
    what: impl Display,
    timeout: Duration,
    condition: impl Fn(&K) -> bool,
) -> Result<K>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    eventually(format!("{name} {what}"), timeout, async || {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        if condition(&object) {
            return Ok(object);
        }
        Err(serde_json::to_string_pretty(&object).unwrap_or_else(|_| format!("{object:?}")))
    })
    .await
}

/// Waits until an object is gone.
///
/// # Errors
/// After `timeout`, with the whole object as seen last.
pub async fn gone<K>(api: &Api<K>, name: &str, timeout: Duration) -> Result<()>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    eventually(format!("the end of {name}"), timeout, async || match api.get_opt(name).await {
        Ok(None) => Ok(()),
        Ok(Some(object)) => Err(serde_json::to_string_pretty(&object).unwrap_or_else(|_| format!("{object:?}"))),
        Err(error) => Err(error.to_string()),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timeout_tells_what_was_awaited_and_seen() -> Result<()> {
        let outcome: Result<()> =
            eventually("the moon", Duration::from_millis(20), async || Err::<(), _>("clouds")).await;
        let error = outcome.err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("waited 20ms for the moon; last seen: clouds"));
        Ok(())
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let hang = async || std::future::pending::<Option<()>>().await;
        let outcome = eventually("an answer", Duration::from_millis(20), hang).await;
        assert!(outcome.is_err());
    }

    #[tokio::test]
    async fn the_first_success_ends_the_wait() -> Result<()> {
        let mut looks = 0;
        let third = eventually("three looks", Duration::from_secs(5), async || {
            looks += 1;
            (looks == 3).then_some(looks)
        })
        .await?;
        assert_eq!(third, 3);
        Ok(())
    }
}
