mire::aggregate!();

fn main() {}
