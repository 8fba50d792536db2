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

mire::aggregate!(
    #[aggregate(category = "mire_")]
    struct Bare;

    #[event]
    fn happened(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "9-lives")]
    struct Cat;

    #[event]
    fn happened(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "a_category_that_says_all_that_there_is_to_say_about_its_aggregates")]
    struct Long;

    #[event]
    fn happened(&mut self) {}
);

fn main() {
    let events = (
        EmptyEvent::Happened,
        DashedEvent::Happened,
        ReservedEvent::Happened,
        SpacedEvent::Happened,
        BareEvent::Happened,
        CatEvent::Happened,
        LongEvent::Happened,
    );
    drop(events);
}
