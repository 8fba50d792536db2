mire::aggregate!(
    #[aggregate(category = "")]
    struct Empty;

    #[event]
    fn happened(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "order-line")]
    struct Dashed;

    #[event]
    fn happened(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "mire_order")]
    struct Reserved;

    #[event]
    fn happened(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "two words")]
    struct Spaced;

    #[event]
    fn happened(&mut self) {}
);

fn main() {
    let events = (
        EmptyEvent::Happened,
        DashedEvent::Happened,
        ReservedEvent::Happened,
        SpacedEvent::Happened,
    );
    drop(events);
}
