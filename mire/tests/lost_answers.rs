//! Commits that went through and whose answer was lost: nothing is lost, and nothing is doubled.
#![cfg(feature = "postgres")]

use std::sync::atomic::Ordering;

use crate::common::projections::{Writer, append, caught_up, fast, seen, start, stop};
use crate::common::proxy::set_up;
use crate::common::{Account, deposited};
use mire::{AggregateRoot, Append, Event, ExpectedVersion};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_with_a_key_is_written_once_when_its_answer_was_lost() {
    let (store, direct, proxy, _database) = set_up().await;
    append(&store, "account-warm", [1]).await;
    for n in 0..5 {
        let word = "the-money";
        let again = || {
            Append::new("account-ann", ExpectedVersion::Exact(n))
                .unwrap()
                .idempotency_key(format!("{n}"))
                .event(&Event::new(crate::common::AccountEvent::Opened {
                    owner: word.into(),
                }))
                .unwrap()
        };
        let at_once = n % 2 == 1;
        // Both the first and what the store repeats by itself.
        proxy.lose(2, word, at_once);
        let error = store.append_all([again()]).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(proxy.all_lost());
        // Cut at once, the first may still be at work, and even come second.
        let appended = store.append_all([again()]).await.unwrap()[0];
        assert_eq!(appended.version, n + 1);
        assert!(appended.repeated || at_once);
    }
    // The store sends it once more by itself, and finds it written.
    let keyed = Append::new("account-ann", ExpectedVersion::Any).unwrap();
    let keyed = keyed.idempotency_key("last");
    let opened = crate::common::AccountEvent::Opened {
        owner: "the-money".into(),
    };
    let keyed = keyed.event(&Event::new(opened)).unwrap();
    proxy.lose(1, "the-money", false);
    let appended = store.append_all([keyed]).await.unwrap()[0];
    assert_eq!((appended.version, appended.repeated), (6, true));
    assert!(proxy.all_lost());
    let events = direct.read_stream_all("account-ann", 0).await.unwrap();
    assert_eq!(events.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_whose_answer_was_lost_keeps_its_events_and_cannot_be_written_twice() {
    let (store, direct, proxy, _database) = set_up().await;
    let mut root = AggregateRoot::<Account>::new("ann");
    root.record(crate::common::AccountEvent::Opened {
        owner: "the-money".into(),
    });
    root.record(deposited(5));
    proxy.lose(1, "the-money", false);
    let error = store.save(&mut root).await.unwrap_err();
    assert!(error.is_retryable() && !error.is_conflict(), "{error:?}");
    assert_eq!((root.version, root.pending_count()), (0, 2));
    let error = store.save(&mut root).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let events = direct.read_stream_all("account-ann", 0).await.unwrap();
    assert_eq!(events.len(), 2);
    // Decided anew, on what is there.
    let done = store
        .execute("ann", |account: &Account| match account.balance {
            5 => Ok(deposited(1)),
            _ => Err("lost"),
        })
        .await;
    assert_eq!(done.unwrap().version, 3);
}

/// Nobody can know whether they were written, so nobody sends them again by himself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_that_travelled_together_and_got_no_answer_are_not_sent_again() {
    let (store, direct, proxy, _database) = set_up().await;
    let mut most = 0;
    for round in 0..8 {
        proxy.lose(1, "the-money", false);
        let appends = (0..24).map(|n| {
            // The first few keep the flushers busy, and the others gather meanwhile.
            let owner = if n < 4 { "nobody" } else { "the-money" }.to_owned();
            let event = [Event::new(crate::common::AccountEvent::Opened { owner })];
            let (store, stream) = (store.clone(), format!("account-{round}x{n}"));
            async move {
                let any = ExpectedVersion::Any;
                store.append(&stream, "account", any, &event).await
            }
        });
        let answers = futures_util::future::join_all(appends).await;
        assert!(proxy.all_lost());
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        most = most.max(failed);
        for (n, answer) in answers.into_iter().enumerate() {
            let stream = format!("account-{round}x{n}");
            let written = direct.read_stream_all(&stream, 0).await.unwrap().len();
            match answer {
                Ok(appended) => assert_eq!((appended.version, written), (1, 1), "{stream}"),
                Err(error) => {
                    assert!(error.is_retryable(), "{error:?}");
                    assert!(written <= 1, "{stream} was written {written} times");
                }
            }
        }
    }
    assert!(most > 1, "none travelled together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_whose_commits_get_no_answer_has_each_effect_once() {
    for slow in [false, true] {
        let (store, direct, proxy, _database) = set_up().await;
        if slow {
            // The commit is still under way when the leader looks where it is.
            sqlx::raw_sql(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
                 CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON seen
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                     WHEN (NEW.version % 10 = 5) EXECUTE FUNCTION dawdle()",
            )
            .execute(direct.pool())
            .await
            .unwrap();
        }
        let running = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
        append(&direct, "account-ann", [1]).await;
        caught_up(&direct).await;
        for round in 0..4 {
            // Some of them are those of heartbeats and leases.
            proxy.lose(2, "COMMIT\0", slow);
            append(&direct, "account-ann", (0..10).map(|n| round * 10 + n)).await;
            caught_up(&direct).await;
            assert!(proxy.plan.cuts.load(Ordering::SeqCst) < 2, "none was lost");
        }
        stop(running).await;
        let versions: Vec<i64> = seen(&direct).await.into_iter().map(|(_, v)| v).collect();
        assert_eq!(versions, (1..=41).collect::<Vec<_>>());
    }
}
