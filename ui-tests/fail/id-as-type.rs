//! Ids of a type that `id` doesn't take.

mire::aggregate!(
    #[aggregate(category = "room", id(std::string::String))]
    pub struct Room {
        beds: i64,
    }

    #[event]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

mire::aggregate!(
    #[aggregate(category = "bed", id(::std::string::String))]
    pub struct Bed {
        made: bool,
    }

    #[event]
    fn made(&mut self) {
        self.made = true;
    }
);

mire::aggregate!(
    #[aggregate(category = "key", id(KeyId: u64))]
    pub struct Key {
        lost: bool,
    }

    #[event]
    fn lost(&mut self) {
        self.lost = true;
    }
);

mire::aggregate!(
    #[aggregate(category = "lamp", id(crate:Number))]
    pub struct Lamp {
        lit: bool,
    }

    #[event]
    fn lit(&mut self) {
        self.lit = true;
    }
);

type Number = uuid::Uuid;

fn main() {
    mire::AggregateRoot::<Room>::new("1");
    mire::AggregateRoot::<Bed>::new("1");
    mire::AggregateRoot::<Key>::new(&KeyId::new());
    mire::AggregateRoot::<Lamp>::new(&Number::nil());
}
