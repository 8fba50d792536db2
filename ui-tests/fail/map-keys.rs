use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A key that is stored as text, but lacks what a `HashMap` needs.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Sku(String);

mire::aggregate!(
    #[aggregate(category = "board", id(BoardId), snapshot_every = 100)]
    struct Board {
        stones: HashMap<(i64, i64), bool>,
        stock: BTreeMap<Sku, i64>,
    }

    #[event]
    fn placed(&mut self, stones: &HashMap<(i64, i64), bool>) {
        self.stones = stones.clone();
    }

    #[event]
    fn moved(&mut self, paths: Option<BTreeMap<Vec<u8>, std::collections::HashMap<[u8; 2], i64>>>) {
    }

    #[event]
    fn stocked(&mut self, stock: HashMap<Sku, i64>) {}

    /// A `None` has no form as a key, though a `Some` has one.
    #[event]
    fn named(&mut self, names: HashMap<Option<i64>, String>, units: BTreeMap<(), i64>) {}
);

mire::aggregate!(
    #[aggregate(category = "hand", snapshot_every = 100)]
    #[serde(rename_all = "camelCase")]
    enum Hand {
        #[default]
        Empty,
        Held {
            by_suit: BTreeMap<BTreeSet<char>, i64>,
        },
    }
);

mire::projection!(
    #[projection(subscription = "boards", reads(BoardEvent))]
    #[ignores(BoardEvent::Placed, BoardEvent::Moved, BoardEvent::Stocked)]
    struct BoardRow {
        #[key]
        board: BoardId,
        #[json]
        names: HashMap<Option<i64>, String>,
    }

    #[on(BoardEvent::Named)]
    fn named(&mut self, names: &HashMap<Option<i64>, String>) {
        self.names = names.clone();
    }
);

/// What says itself how it is stored, or isn't stored, is left alone.
mod sound {
    use std::collections::HashMap;

    type Stones = HashMap<(i64, i64), bool>;

    pub fn pairs<S: serde::Serializer>(stones: &Stones, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(stones)
    }

    mire::aggregate!(
        #[aggregate(category = "game")]
        struct Game {
            stones: HashMap<(i64, i64), bool>,
        }

        #[event]
        fn placed(
            &mut self,
            #[serde(serialize_with = "pairs")] stones: &HashMap<(i64, i64), bool>,
        ) {
            self.stones = stones.clone();
        }
    );
}

fn main() {}
