mire::aggregate!(
    #[aggregate(category = "letter", id(LetterId))]
    struct Letter;

    #[event]
    fn sent(&mut self, to: Address) {}
);

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
struct Address {
    street: String,
}

impl mire::ColumnType for Address {
    type Stored = mire::table::Json;

    fn to_stored(&self) -> Result<Self::Stored, mire::ColumnError> {
        mire::table::Json::of(self)
    }

    fn from_stored(stored: Self::Stored) -> Result<Self, mire::ColumnError> {
        stored.read()
    }
}

mire::projection!(
    #[projection(subscription = "addresses", reads(LetterEvent))]
    struct ByAddress {
        #[key]
        to: Address,
        count: i64,
    }

    #[on(LetterEvent::Sent, key(to))]
    fn sent(&mut self) {
        self.count += 1;
    }
);

mire::projection!(
    #[projection(subscription = "letters", reads(LetterEvent))]
    struct Letters {
        #[key]
        letter: LetterId,
        #[index]
        to: Option<Address>,
    }

    #[on(LetterEvent::Sent)]
    fn sent(&mut self, to: &Address) {
        self.to = Some(to.clone());
    }
);

fn main() {}
