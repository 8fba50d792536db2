//! How parameters become fields, and what commands may be.

#![deny(missing_docs, warnings, clippy::pedantic)]

use std::collections::BTreeMap;

mire::aggregate!(
    #[aggregate(category = "shop.basket")]
    #[derive(Debug, PartialEq, Default)]
    struct Basket {
        r#type: String,
        tags: Vec<String>,
        lines: BTreeMap<String, u32>,
    }

    #[event]
    fn filled(
        &mut self,
        r#type: &str,
        tags: &[String],
        lines: &BTreeMap<String, u32>,
        mut spare: u32,
        #[serde(default)] note: Option<String>,
    ) {
        spare += 1;
        self.r#type = format!("{type} {spare}{}", note.unwrap_or_default());
        self.tags = tags.to_vec();
        self.lines.clone_from(lines);
    }

    #[event]
    fn emptied(&mut self) {
        self.lines.clear();
    }

    #[command]
    fn fill<T>(&self, tags: impl IntoIterator<Item = T>, spare: u32) -> BasketEvent
    where
        T: Into<String>,
    {
        BasketEvent::Filled {
            r#type: "plain".to_owned(),
            tags: tags.into_iter().map(Into::into).collect(),
            lines: BTreeMap::new(),
            spare,
            note: None,
        }
    }

    #[command]
    #[allow(clippy::unnecessary_wraps)]
    fn empty(&self) -> Result<Option<BasketEvent>, std::convert::Infallible> {
        Ok((!self.lines.is_empty()).then_some(BasketEvent::Emptied))
    }
);

fn main() {
    use mire::EventData;

    let mut basket = mire::AggregateRoot::<Basket>::new("1");
    basket.fill(["a", "b"], 4);
    basket.empty().unwrap_or_else(|never| match never {});
    assert_eq!(basket.pending_count(), 1);
    assert_eq!(basket.state.r#type, "plain 5");
    let payload = basket.pending()[0].encode().unwrap_or_default();
    assert_eq!(
        payload,
        r#"{"type":"plain","tags":["a","b"],"lines":{},"spare":4,"note":null}"#
    );
    assert_eq!(BasketEvent::Emptied.event_type(), "shop.basket.emptied");
    let filled = basket.pending()[0].clone();
    assert_eq!(filled, basket.pending()[0]);
    assert_ne!(filled, basket.state.fill(["a", "b"], 5));
    assert_ne!(filled, BasketEvent::Emptied);
    assert_eq!(
        format!("{:?} {filled:?}", BasketEvent::Emptied),
        "Emptied Filled { type: \"plain\", tags: [\"a\", \"b\"], lines: {}, spare: 4, note: None }"
    );
    let _ = Basket::given([]).when(Basket::empty).then_nothing();
}
