#[derive(Debug)]
struct Taken<'a>(&'a str);

mire::aggregate!(
    #[aggregate(category = "room", id(RoomId))]
    struct Room {
        name: String,
    }

    #[event]
    fn built(&mut self, name: &str) {
        self.name = name.to_owned();
    }

    #[command]
    fn of_the_state(&self) -> Result<RoomEvent, &str> {
        Err(&self.name)
    }

    #[command]
    fn without_a_name(&self, name: &str) -> Result<RoomEvent, Taken<'_>> {
        Err(Taken(&self.name))
    }

    #[command]
    fn of_a_parameter<'a>(&self, name: &'a str) -> Result<RoomEvent, Taken<'a>> {
        Err(Taken(name))
    }

    #[command]
    fn constant(&self) -> Result<RoomEvent, &'static str> {
        Err("no name")
    }
);

fn main() {
    let mut room = mire::AggregateRoot::<Room>::new(&RoomId::new());
    let _: Result<(), &str> = room.of_the_state();
    let _: Result<(), Taken<'_>> = room.of_a_parameter("a");
    let _: Result<(), &str> = room.constant();
}
