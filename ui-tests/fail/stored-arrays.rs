mire::aggregate!(
    #[aggregate(category = "key", id(KeyId), snapshot_every = 100)]
    struct Key {
        public: [u8; 64],
        short: [u8; 32],
    }

    #[event]
    fn made(&mut self, public: &[u8; 64], short: [u8; 32]) {
        self.public = *public;
        self.short = short;
    }

    #[event]
    fn signed(&mut self, signatures: Vec<[[i64; 3]; 0x21]>, salt: Option<[u8; 33usize]>) {}

    #[command]
    fn make(&self, public: [u8; 64]) -> KeyEvent {
        KeyEvent::Made {
            public,
            short: [0; 32],
        }
    }
);

mire::aggregate!(
    #[aggregate(category = "lock", snapshot_every = 100)]
    enum Lock {
        #[default]
        Open,
        Locked([u8; 48]),
    }
);

mire::projection!(
    #[projection(subscription = "keys", reads(KeyEvent))]
    #[ignores(KeyEvent::Signed)]
    struct KeyRow {
        #[key]
        key: KeyId,
        #[json]
        public: [u8; 64],
    }

    #[on(KeyEvent::Made)]
    fn made(&mut self, public: &[u8; 64]) {
        self.public = *public;
    }
);

fn main() {}
