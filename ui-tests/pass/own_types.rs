//! What is nearly refused: types of the user's that are called as some of the standard library, and
//! what a state may share.

#![deny(missing_docs, warnings, clippy::pedantic)]

use std::ffi::CStr;
use std::path::Path as OsPath;
use std::sync::{Arc, Condvar, Mutex};

/// The way through a graph.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
struct Path(Vec<u32>);

mod time {
    /// A moment, as text.
    #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
    pub struct Instant(pub String);
}

mod path {
    pub(crate) use super::Path;
}

mire::aggregate!(
    #[aggregate(category = "tour", id(TourId))]
    struct Tour {
        way: Path,
        end: Option<path::Path>,
        last: time::Instant,
        woken: Arc<(Mutex<bool>, Condvar)>,
        seen: Option<Arc<Vec<Mutex<u32>>>>,
        map: Option<Arc<OsPath>>,
        name: Option<&'static CStr>,
    }

    #[event]
    fn planned(&mut self, way: &Path, end: path::Path) {
        self.way = way.clone();
        self.end = Some(end);
    }

    #[event]
    fn walked(&mut self, at: &time::Instant) {
        self.last = at.clone();
        *self.woken.0.lock().unwrap() = true;
        self.seen = Some(Arc::default());
        self.map = Some(Arc::from(OsPath::new("map")));
        self.name = Some(c"tour");
    }

    #[command]
    fn walk(&self, at: &str) -> Option<TourEvent> {
        let at = time::Instant(at.to_owned());
        let known = self.seen.is_some() && self.map.is_some() && self.name.is_some();
        (!known && self.end.as_ref() != Some(&self.way)).then_some(TourEvent::Walked { at })
    }
);

fn main() {
    let planned = TourEvent::Planned {
        way: Path(vec![1, 2]),
        end: Path(vec![2]),
    };
    Tour::given([planned])
        .when(|tour: &Tour| tour.walk("noon"))
        .then([TourEvent::Walked {
            at: time::Instant("noon".to_owned()),
        }]);
}
