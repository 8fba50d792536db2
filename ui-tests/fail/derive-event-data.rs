use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, mire::EventData)]
enum NoEntity {
    Placed,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entity = "order")]
enum Twins {
    Placed,
    #[mire(rename = "placed")]
    Ordered,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entity = "order", rename = "x")]
enum Words {
    #[mire(renam = "y")]
    Placed,
}

#[derive(Serialize, Deserialize, mire::EventData)]
struct NoName {
    amount: i64,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(event_type = "placed")]
struct HalfName {
    amount: i64,
}

#[derive(mire::EventData)]
#[mire(entity = "order")]
enum Generic<T> {
    Placed(T),
}

#[derive(mire::EventData)]
union Bytes {
    all: u32,
}

fn main() {
    fn is_event<E: mire::EventData>() {}
    is_event::<NoEntity>();
    is_event::<Twins>();
    is_event::<Words>();
    is_event::<NoName>();
    is_event::<HalfName>();
}
