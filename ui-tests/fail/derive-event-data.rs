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

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entty = "order")]
enum Misspelt {
    Placed,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(event_typ = "order.placed")]
struct MisspeltName {
    amount: i64,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entity = "order-line")]
enum Dashed {
    Placed,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entity = "mire_order")]
enum Reserved {
    Placed,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(event_type = "order-line.placed")]
struct DashedName {
    amount: i64,
}

#[derive(Serialize, Deserialize, mire::EventData)]
#[mire(entity = "order")]
#[mire(crate(mire))]
enum TwoAttributes {
    Placed,
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
    is_event::<Misspelt>();
    is_event::<MisspeltName>();
    is_event::<Dashed>();
    is_event::<Reserved>();
    is_event::<DashedName>();
    is_event::<TwoAttributes>();
}
