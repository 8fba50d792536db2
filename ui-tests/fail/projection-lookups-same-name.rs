mire::aggregate!(
    #[aggregate(category = "sensor", id(SensorId))]
    struct Sensor;

    #[event]
    fn measured(&mut self, height: i64, width: i64) {}
);

mire::projection!(
    #[projection(subscription = "sensors", reads(SensorEvent))]
    struct Reading {
        #[key]
        sensor: SensorId,
        #[index]
        height: i64,
        #[index]
        height_range: i64,
        #[index]
        width_range: i64,
        #[index]
        width: i64,
        // One of two is enough: this one has no index.
        size: i64,
        #[index]
        size_range: i64,
    }

    #[on(SensorEvent::Measured)]
    fn measured(&mut self, height: i64, width: i64) {
        self.height = height;
        self.width = width;
    }
);

async fn look_up(store: &mire::EventStore) -> Result<(), mire::EventStoreError> {
    Reading::by_height(store, &1, 10).await?;
    Reading::by_height_range(store, 1.., 10).await?;
    Reading::by_width_range(store, &1, 10).await?;
    Reading::by_size_range(store, &1, 10).await?;
    Reading::by_size_range_range(store, 1.., 10).await?;
    Ok(())
}

fn main() {
    let _ = look_up;
}
