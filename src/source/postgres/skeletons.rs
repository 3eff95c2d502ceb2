//! What the source has said of statements, by what they are without the values of their constants: who says the same of another value need not
//! ask again. Must not know: how statements are printed, how they run (whoever runs one finds out whether it still is what was said).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::source::Described;

/// Statements at most; beyond that, all are forgotten.
const MOST: usize = 1000;
/// Bytes of the longest that is kept.
const LONGEST: usize = 16 << 10;

/// Session settings, and a skeleton.
type Key = (Arc<str>, Arc<str>);

/// Descriptions of skeletons.
#[derive(Default)]
pub(super) struct Skeletons(Mutex<HashMap<Key, Known>>);

/// What was said, and in which epoch.
struct Known {
    epoch: u64,
    described: Arc<Described>,
}

impl Skeletons {
    /// What was said in this epoch.
    pub(super) fn get(&self, epoch: u64, session: &Arc<str>, skeleton: &Arc<str>) -> Option<Arc<Described>> {
        let kept = self.0.lock();
        let known = kept.get(&(Arc::clone(session), Arc::clone(skeleton)))?;
        (known.epoch == epoch).then(|| Arc::clone(&known.described))
    }

    /// Keeps what was said.
    pub(super) fn put(&self, epoch: u64, session: &Arc<str>, skeleton: &Arc<str>, described: &Described) {
        if skeleton.len() > LONGEST {
            return;
        }
        let mut kept = self.0.lock();
        if kept.len() >= MOST {
            kept.clear();
        }
        let described = Arc::new(described.clone());
        kept.insert((Arc::clone(session), Arc::clone(skeleton)), Known { epoch, described });
    }
}
