"""Numbers of people's sentences that do not add up, and others like them that do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phases.postmortem.contradictions.named import contradictions
from tests.support.values.postmortems import drawn

WRONG = """
Of 120 users 150 could not pay.
37 users were hit: 20 on iOS and 10 on Android.
The outage lasted 45 minutes (14:03–14:19 UTC).
Half of the 40 orders, 25, failed.
Two thirds of 90 requests (45) failed.
Five of the four pods restarted.
1,200 errors in 10 minutes, about 200 a minute.
120 orders failed, 40 by card and 90 by PayPal.
A total of 60 errors: 20 in checkout, 20 in cart, 10 in search.
100 requests failed: 30 in the EU, 30 in the US and 30 in Asia.
40 orders at 10 € each were lost, 500 € in all.
80 % of requests succeeded and 30 % failed.
It took 10 minutes to detect, 20 minutes to mitigate, 15 minutes in all.
50 % of 200 users, so 80 users, saw the error.
Between 14:03 and 14:19 (76 minutes) nobody could log in.
For 25 minutes, from 14:03 until 14:19, payments failed.
The error rate rose from 5 % to 2 %.
The queue grew from 4,000 to 300 messages.
Latency dropped from 200 ms to 3 s.
All 12 of our 10 hosts were affected.
We lost 12 orders in the first hour and 8 in the second, 25 in total.
Traffic was split 70/40 between the regions.
Eleven of ten workers crashed.
3 of 4 pods (50 %) were down.
25 of 50 requests failed, a failure rate of 20 %.
The failure rate was 20 % (25 of 50 requests).
90 of 300 requests, or 45 %, timed out.
30 failed requests out of 20.
The deploy took 8 minutes: 3 minutes of build, 2 minutes of tests and 6 minutes of rollout.
From 14:03 to 14:19, so for over an hour, checkout was down.
Twenty of the 15 merchants were told.
Out of 18,000 sessions, 21,000 were logged out.
Only 0.5 % of 2,000 requests failed, that is 100.
99 % of 1,000 jobs succeeded, 100 failed.
12 hosts: 5 healthy, 9 unhealthy.
We restarted 3 of the 2 replicas.
A third of the 60 users, 40 people, contacted support.
Retries tripled the load from 100 to 200 requests per second.
The load doubled from 100 to 400 requests per second.
The backlog of 900 jobs was worked off at 100 a minute, in 30 minutes.
Out of 80 merchants, 95 could not settle.
412 customers were affected, 300 in Germany and 50 in Austria, 412 in total.
Some 214 orders failed (110 by card, 60 by invoice).
Seven of the six replicas lost their leader.
A quarter of the 200 sessions (90) were dropped.
20 % of the 5,000 requests, i.e. 2,000, returned 500.
The database was down for 50 minutes, from 09:10 to 09:25.
Detection took 4 minutes, diagnosis 9 minutes and the fix 12 minutes, 40 minutes in total.
CPU usage climbed from 90 % to 35 %.
Response times fell from 120 ms to 900 ms after the rollback.
The number of open connections went up from 400 to 90.
We cut the batch size from 100 to 1,000.
3,000 messages in 5 minutes, or 100 per minute, were dropped.
25 gift cards at $20 each, $900 in total.
Success rate was 60 % (20 of 80 calls).
85 % of the logins failed while 25 % succeeded.
16 of the 12 shards were rebalanced.
Traffic was split 60/50 between blue and green.
In total 90 jobs failed: 30 nightly, 30 hourly and 10 ad hoc.
Errors doubled from 20 to 90 a minute.
Throughput halved from 800 to 700 requests per second.
130 % of the requests failed.
9 of 10 pods (50 %) were restarted.
Of our 14 regions, 20 were degraded.
Two of the 40 tenants, or 25 %, saw stale data.
We lost 15 events on Monday and 30 on Tuesday, so 60 in all.
Memory rose from 2 GB to 900 MB.
The p95 dropped from 0.8 s to 4 s.
All in all 55 refunds: 20 on Friday and 15 on Saturday.
""".strip().splitlines()
RIGHT = """
Retries grew from 100 requests to 20 % of the traffic.
Of 150 users 120 could not pay.
37 users were hit: 20 on iOS and 17 on Android.
The outage lasted 16 minutes (14:03–14:19 UTC).
Half of the 40 orders, 20, failed.
Two thirds of 90 requests (60) failed.
Four of the five pods restarted.
2,000 errors in 10 minutes, about 200 a minute.
120 orders failed, 40 by card and 80 by PayPal.
40 orders at 10 € each were lost, 400 € in all.
70 % of requests succeeded and 30 % failed.
It took 10 minutes to detect, 20 minutes to mitigate, 30 minutes in all.
50 % of 200 users, so 100 users, saw the error.
The error rate rose from 2 % to 5 %.
The queue grew from 300 to 4,000 messages.
Latency dropped from 3 s to 200 ms.
Latency rose from 200 ms to 3 s.
Load rose from 0.2 to 12 at 14:05.
60 % of users on iOS, 30 % on Android and 10 % on the web.
Traffic was split 70/30 between the regions.
3 of 4 pods (75 %) were down.
25 of 50 requests failed, a failure rate of 50 %.
The deploy took 11 minutes: 3 minutes of build, 2 minutes of tests and 6 minutes of rollout.
Only 0.5 % of 20,000 requests failed, that is 100.
99 % of 1,000 jobs succeeded, 10 failed.
12 hosts: 5 healthy, 7 unhealthy.
Retries tripled the load from 100 to 300 requests per second.
The load doubled from 100 to 200 requests per second.
The p99 grew from 900 ms to 1.2 s.
The pool grew from 5 to 10 connections, of which 3 were free and 7 used.
From 1.2.0 to 1.1.0 we rolled back at 14:10.
Version rose from 9 to 10.
Memory grew from 900 MB to 1.5 GB.
It fell from 2 % to 0.1 % after the rollback.
The time to first byte went up from 1 min to 90 s.
Errors fell from 400 to 3 a minute within 2 minutes.
We lowered the limit from 500 to 50.
20 % of orders and 30 % of logins failed, and 90 % of searches.
The rollout was at 25 % when 60 % of its requests failed and 50 % were retried.
5 of 12 (42 %) on iOS; 3 of 4 (75 %) on Android.
Of 120 users 37 saw the error, of whom 30 retried and 12 paid in the end.
It doubled from 100 to 190 requests per second.
We had 3 replicas; 5 of 9 shards lost theirs.
Between 14:03 and 14:19 37 users could not pay; 4 of them wrote to support within 10 minutes.
The alert fires at 5 % over 10 minutes; it was 4 % for 30 minutes.
40 orders at 9.99 € each were lost, about 400 € in all.
Nine of ten retries failed, so 10 % succeeded.
The first hour had 12 failed orders and the second 8.
Out of 95 merchants, 80 could not settle.
412 customers were affected, 300 in Germany and 112 in Austria, 412 in total.
Some 214 orders failed (110 by card, 104 by invoice).
A quarter of the 200 sessions (50) were dropped.
20 % of the 5,000 requests, i.e. 1,000, returned 500.
Detection took 4 minutes, diagnosis 9 minutes and the fix 12 minutes, 25 minutes in total.
CPU usage climbed from 35 % to 90 %.
Response times fell from 900 ms to 120 ms after the rollback.
We cut the batch size from 1,000 to 100.
500 messages in 5 minutes, or 100 per minute, were dropped.
25 gift cards at $20 each, $500 in total.
Success rate was 25 % (20 of 80 calls).
85 % of the logins failed while 15 % succeeded.
Errors doubled from 20 to 41 a minute.
Throughput halved from 800 to 400 requests per second.
9 of 10 pods (90 %) were restarted.
Two of the 40 tenants, or 5 %, saw stale data.
We lost 15 events on Monday and 30 on Tuesday, so 45 in all.
Memory rose from 900 MB to 2 GB.
The p95 dropped from 4 s to 0.8 s.
The alert needs 3 of 5 probes to fail for 2 minutes.
Release 1.4.0 dropped the currency column from 3 tables to save 20 GB.
One in ten requests to /pay failed, 1,204 in all; 300 of them were retried.
We page when 5 % of requests fail for 10 minutes; this was 3 %.
The limit went from 100 to 50 on Monday and up to 200 on Tuesday.
At 14:03 the queue had 1,200 messages, at 14:30 it had 40.
The second deploy came 3 minutes after the first, at 14:07, and took 90 seconds.
Up from version 14 to 15, Postgres changed the default of a setting.
The pool of 20 connections was shared by 8 workers with 4 threads each, 32 in all.
It failed in 3 of 7 regions, 2 of them in Europe.
Of the 37 users, 12 wrote to support and 9 got a refund.
The job runs every 5 minutes and takes 2 minutes, so 3 minutes are left.
The first 10 minutes had 40 errors, the next 10 minutes 300.
Two engineers looked at 4 dashboards and 1 runbook.
The rollback took 4 minutes and ended it at 14:19.
We have 12 hosts in 3 zones, 4 in each.
Between 14:03 and 14:19 one of two replicas answered.
Retry 3 of 5 succeeded.
We raised the timeout from 5 s to 30 s, which is more than the 10 s of the load balancer.
The cache hit rate fell from 98 % to 40 %, and database load rose from 20 % to 85 %.
At 20:1 the ratio of reads to writes is high.
Half of the hosts got the new config; the other half kept the old one, so 6 of 12 failed.
100 % of requests to /export failed, 3 % of all requests.
7 of 9 tests passed; 2 were skipped.
Latency was 10 times higher, from 80 ms to 800 ms.
It went down from 5 errors a minute to 0 at 14:20.
Alice rolled back from 1.3.0 to 1.2.0 in 4 minutes.
The flag went from 10 % to 50 % at 14:00 and back to 0 % at 14:12.
Two thirds of users are in Europe, 30 % of them in Germany.
5 of the 6 action items are done.
""".strip().splitlines()


def _named(sentence: str) -> list[str]:
    case = drawn(0, "", held_out=False).case
    written = case.parts.model_copy(update={"root_cause": sentence})
    every = contradictions(replace(case, parts=written))
    return [contradiction.says for contradiction in every if contradiction.rule == "numbers"]


@pytest.mark.parametrize("sentence", WRONG)
def test_what_does_not_add_up_is_named(sentence: str):
    assert _named(sentence)


@pytest.mark.parametrize("sentence", RIGHT)
def test_what_adds_up_is_left_alone(sentence: str):
    assert _named(sentence) == []
