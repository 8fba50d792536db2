//! The stored form of derived events.

use mire::{EventData, EventTypeStatic, StoredEvent, UnknownEventType, UnknownSchemaVersion};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize, EventData)]
#[mire(entity = "order")]
enum OrderEvent {
    OrderPlaced {
        amount: i64,
        note: Option<String>,
    },
    #[mire(rename = "sent")]
    #[serde(rename = "whatever_serde_calls_it")]
    Shipped(Parcel),
    Split(i64, i64),
    Closed,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, EventData)]
#[mire(event_type = "order.parcel-packed")]
struct Parcel {
    weight: u32,
}

fn stored<'a>(event_type: &'a str, data: &'a str) -> StoredEvent<'a> {
    StoredEvent {
        event_type,
        schema_version: 1,
        data: data.as_bytes(),
    }
}

#[test]
fn a_variant_is_stored_as_its_fields_alone_under_its_stored_name() {
    let events = [
        (
            OrderEvent::OrderPlaced {
                amount: 5,
                note: None,
            },
            "order.order-placed",
            r#"{"amount":5,"note":null}"#,
        ),
        (
            OrderEvent::Shipped(Parcel { weight: 7 }),
            "order.sent",
            r#"{"weight":7}"#,
        ),
        (OrderEvent::Split(1, 2), "order.split", "[1,2]"),
        (OrderEvent::Closed, "order.closed", "{}"),
    ];
    for (event, name, payload) in events {
        assert_eq!(event.event_type(), name);
        assert_eq!(event.encode().unwrap(), payload);
        assert_eq!(OrderEvent::decode(&stored(name, payload)).unwrap(), event);
        assert!(OrderEvent::event_types().contains(&name));
    }
}

#[test]
fn fields_may_come_and_go() {
    let placed = OrderEvent::decode(&stored("order.order-placed", r#"{"amount":5,"old":1}"#));
    assert_eq!(
        placed.unwrap(),
        OrderEvent::OrderPlaced {
            amount: 5,
            note: None
        }
    );
    let closed = OrderEvent::decode(&stored("order.closed", r#"{"by":"ann"}"#));
    assert_eq!(closed.unwrap(), OrderEvent::Closed);
}

#[test]
fn what_can_not_be_read_says_why() {
    let unknown = OrderEvent::decode(&stored("order.lost", "{}")).unwrap_err();
    assert_eq!(
        unknown
            .downcast_ref::<UnknownEventType>()
            .unwrap()
            .event_type,
        "order.lost"
    );
    let newer = StoredEvent {
        schema_version: 2,
        ..stored("order.closed", "{}")
    };
    let newer = OrderEvent::decode(&newer).unwrap_err();
    assert_eq!(
        newer.downcast_ref::<UnknownSchemaVersion>().unwrap().stored,
        2
    );
    for payload in ["", "{", "{} {}", r#"{"amount":"five"}"#] {
        assert!(
            OrderEvent::decode(&stored("order.order-placed", payload)).is_err(),
            "{payload}"
        );
    }
}

#[test]
fn a_struct_has_one_name() {
    assert_eq!(Parcel::EVENT_TYPE, "order.parcel-packed");
    let parcel = Parcel { weight: 3 };
    assert_eq!(parcel.event_type(), Parcel::EVENT_TYPE);
    assert_eq!(parcel.encode().unwrap(), r#"{"weight":3}"#);
    let read = Parcel::decode(&stored(Parcel::EVENT_TYPE, r#"{"weight":3}"#));
    assert_eq!(read.unwrap(), parcel);
    assert!(Parcel::decode(&stored("order.sent", r#"{"weight":3}"#)).is_err());
}

/// `serde_json` would write `null`, which reads back as `None` or not at all.
#[test]
fn a_number_that_json_does_not_have_is_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, EventData)]
    #[mire(entity = "probe")]
    enum ProbeEvent {
        Measured { value: f64 },
        Guessed { value: Option<f64> },
    }
    #[derive(Serialize, Deserialize)]
    struct ByHand(f64);
    impl EventData for ByHand {
        fn event_type(&self) -> &'static str {
            "probe.by-hand"
        }
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for encoded in [
            ProbeEvent::Measured { value }.encode(),
            ProbeEvent::Guessed { value: Some(value) }.encode(),
            ByHand(value).encode(),
        ] {
            let error = encoded.unwrap_err().to_string();
            assert!(error.contains(&format!(" is {value}, ")), "{error}");
        }
    }
    let none = ProbeEvent::Guessed { value: None };
    assert_eq!(none.encode().unwrap(), r#"{"value":null}"#);
}
