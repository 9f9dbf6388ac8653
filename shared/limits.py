"""Every bound of the system, with its unit and its reason. What an operator may move is in settings.py instead."""

# Requests
MAX_HEAD_BYTES = 32 * 1024  # address and headers; cookies and tokens of others' making fit
MAX_ADDRESS_BYTES = 8 * 1024  # of it; RFC 9110 §4.1 asks for 8,000, and 50 job ids in a query are 2,300
MAX_REQUEST_ID_CHARS = 128  # of an X-Request-Id that is taken; a UUID has 36
REQUEST_HEAD_WITHIN_SECONDS = 10.0  # from the connection, or from its first byte, to its end
KEEP_ALIVE_SECONDS = 75.0  # of silence: peers keep connections for less (httpx 5; nginx, AWS 60), so that they let go
REQUEST_BODY_WITHIN_SECONDS = 30.0  # from the head's end; 64 KB at 20 kbit/s
MAX_BODY_BYTES = 64 * 1024  # 1,000 ids of 16 digits and an archive name fit four times
MAX_DROPPED_BODY_BYTES = 1024 * 1024  # of a body that nobody reads; beyond it the connection is not worth keeping
MAX_FILES_PER_JOB = 1_000  # one ZIP of more is a mirror, not a download; keeps a record under 20 kB
MAX_FILE_ID = 2**53 - 1  # the largest integer that survives JSON in a browser (RFC 8259 §6)
MAX_ARCHIVE_NAME_CHARS = 150  # UTF-8 worst case stays under the 255 bytes that file systems allow, with `.zip`
MAX_IDEMPOTENCY_KEY_CHARS = 255  # of which only a digest is kept
POLL_AFTER_SECONDS = 2  # the Retry-After of an unfinished job
MAX_EVENTS_PER_PAGE = 500  # of a log: about 100 kB of progress events
DEFAULT_EVENTS_PER_PAGE = 100  # for who does not say how many
MAX_JOBS_PER_PAGE = 100  # each is a record to be read
DEFAULT_JOBS_PER_PAGE = 20  # for who does not say how many: about a screen
LISTING_BATCH_JOBS = 50  # records read at once; of 1,000 files each they are 1 MB
LISTING_BATCHES = 4  # of one page: whoever looks for few among many asks again, and Redis serves others in between

# Who calls
MAX_CREDENTIAL_CHARS = 8_192  # of a key or token; more is no token, and a fourth of the head that is taken
MAX_OWNER_CHARS = 128  # part of Redis keys; OpenID Connect allows a subject 255, and nobody's is that long
MAX_API_KEYS = 10_000  # together: they are listed in one reply of 3 MB
MAX_API_KEY_LIFE_SECONDS = 10 * 366 * 86_400
MAX_TICKET_JOBS = 50  # as many as one page shows; each is 22 characters of the address
MAX_TICKET_KEY_ID_CHARS = 16  # part of each ticket
MAX_TICKET_CHARS = 1_320  # 50 jobs, the longest owner and key id; well within the 8k of proxies' address lines
MIN_TICKET_SECRET_CHARS = 32  # RFC 2104 §3: as long as the hash
REFUSED_CALLERS_LOGGED_EVERY_SECONDS = 10.0  # for each reason, one line: whoever tries keys does so thousands of times
MIN_JWT_SECRET_BYTES = 32  # RFC 7518 §3.2: as long as the hash
MIN_RSA_KEY_BITS = 2_048  # RFC 7518 §3.3
MAX_RSA_KEY_BITS = 8_192  # a signature of more costs a millisecond to look at
MAX_JWKS_BYTES = 256 * 1024
MAX_JWKS_KEYS = 100
JWKS_WITHIN_SECONDS = 5.0  # of one fetch, and of a request that waits for it
JWKS_EVERY_SECONDS = 300.0  # ± 20 %; how long a key that its issuer took back is trusted, and a fetch costs nothing
JWKS_FILE_EVERY_SECONDS = 5.0  # ± 20 %
JWKS_AGAIN_SECONDS = 10.0  # after a fetch: made-up key ids make one more fetch in so many seconds, and not more
JWKS_TRUSTED_SECONDS = 86_400.0  # after the last good fetch: an issuer may be away for a day, not for ever

# What an owner may do; where nothing is set, and callers say who they are
DEFAULT_JOBS_IN_FLIGHT = 1_000  # an hour's work of sixteen slots at a minute each, and 3 MB of Redis
DEFAULT_CREATES_PER_MINUTE = 600  # ten a second: more than a person's browser, less than a loop without a pause
DEFAULT_CALLBACKS_WAITING = 10_000  # a receiver that is away for a quarter of an hour of 600 ends; 9 MB of Redis
DEFAULT_STREAMS = 1_000  # twenty browsers with fifty jobs each; a twentieth of what a gateway holds
CREATES_WINDOW_MS = 60_000
FEWER_CALLBACKS_AFTER_SECONDS = 60  # to twice that: nobody knows when a receiver is mended; then hundreds go at once
STREAMS_LEASE_MS = 45_000  # so long those of a gateway that died count: within a minute they are forgotten
STREAMS_RENEWED_EVERY_SECONDS = 15.0  # ± 20 %; two renewals may be lost
STREAMS_TOLD_AFTER_SECONDS = 0.1  # of a stream that ended: those that end together travel together
STREAMS_TOLD_AT_ONCE = 256  # owners, which travel in one pipeline

# The catalogue
CATALOGUE_WITHIN_SECONDS = 10.0  # of one lookup, so that a POST is answered before anybody's proxy loses patience
CATALOGUE_LOOK_UPS_AT_ONCE = 16  # of one request, where the store is asked for each file
CATALOGUE_LOOK_UPS_PER_PROCESS = 64  # of all requests
MAX_FILES_PER_PAGE = 100  # of a listing of the catalogue
DEFAULT_FILES_PER_PAGE = 50  # for who does not say how many: a screen or two
FILES_LOOKED_AT = 20_000  # for one page, in a thread: about 10 ms; whoever looks for few among millions asks again
MAX_FILE_QUERY_CHARS = 100  # of the text that names are searched for
CATALOGUE_HOOK_THREADS = 8  # for hooks that block; a hook that hangs keeps its thread, and no more than these
MANIFEST_POLL_SECONDS = 2.0  # ± 20 %; a changed manifest is taken at the second look
MAX_MANIFEST_BYTES = 256 * 1024 * 1024  # about two million files, and a gigabyte of memory

# Redis
REDIS_REQUEST_WITHIN_SECONDS = 1.5  # so that a 503 is out within two seconds
REDIS_CONNECT_WITHIN_SECONDS = 1.0  # a call must have its answer, or its 503, within two
REDIS_BATCH_WITHIN_SECONDS = 5.0  # a batch that is not answered by then counts as a lost connection
MAX_REDIS_REQUESTS_WAITING = 10_000  # beyond it a process answers 503 rather than queue for longer than anyone waits
BLOCK_MS = 4_000  # of a blocking read: how long a retried entry can go unnoticed when its wake message is lost
JOB_KEYS_REMEMBERED = 4_096  # of the jobs touched last: each operation would put the same six names together anew
MAX_REDIS_BATCH = 512  # commands in one write: about 60 ms of Redis at the slowest script
RECONNECT_MIN_SECONDS = 0.05  # the shortest pause: a connection that was only cut is soon back
RECONNECT_MAX_SECONDS = 1.0  # of a pause: a Redis that is back is found within this
LIVE_PING_EVERY_SECONDS = 10.0  # a connection that is dead says nothing, and one without news neither
LIVE_SILENCE_MAX_SECONDS = 25.0  # two pings unanswered: the pub/sub connection is half open

# Streams
MAX_PARTITIONS = 4096  # twelve bits of the job id
MAX_PARKED_MESSAGES = 64  # live messages kept for one viewer while it is behind; more and it reads the log instead
REPLAY_PAGE_EVENTS = 100  # of a log, for one viewer: the next page is read when these are on their way
HEARTBEAT_EVERY_SECONDS = 15.0  # ± 20 %; well under the 100 s at which Cloudflare, nginx and ALB cut silent connections
STREAM_MAX_AGE_SECONDS = 600.0  # ± 20 %; spreads viewers over gateways again after a deploy
LOOK_AT_LOG_EVERY_SECONDS = 15.0  # ± 20 %; at the end of each followed job's log: what the live channel may have lost
READ_LOG_EVERY_SECONDS = 0.5  # ± 20 %; while the live channel does not deliver: the built-in polling mode
LOGS_PER_LOOK = 2_000  # jobs that are looked at in one turn: about 50 ms of this process, and the others come next
LOGS_LOOKED_AT_AT_ONCE = 256  # which travel in one pipeline
STREAM_SEND_WITHIN_SECONDS = 30.0  # a viewer whose full buffer has not emptied within it is cut, and resumes by its id
MAX_LONG_POLL_SECONDS = 25  # under the 30 s at which many clients and load balancers give up
MIN_SSE_RETRY_MS = 500  # drawn from here to the next: viewers who lost a gateway must not come back in one moment
MAX_SSE_RETRY_MS = 3_000  # of the same; longer, and people would see that the page stands still
DRAIN_STREAMS_AT_ONCE = 50  # so many viewers may come back to the other gateways in one moment
DRAIN_PAUSE_SECONDS = 0.05  # between two such lots, at least
DRAIN_SHARE = 0.7  # of the drain's time over which streams are told to end; the rest is theirs to do so
MAX_JOBS_PER_STREAM = 50  # and of one batch: 50 ids are 2.2 KB of address, their vector 300 bytes
LOGS_READ_AT_ONCE = 10  # for one viewer of many jobs: so many pages of logs it may hold
MAX_SOCKET_MESSAGE_BYTES = 1024  # from a WebSocket's peer, who has nothing to say but goodbye
SOCKET_FRAMES_PER_MINUTE = 30  # from it, pings and answers to ours included: clients ping every 20 s, some every 5
SOCKET_PINGS_UNANSWERED = 2  # in a row, one with each heartbeat: whoever answers neither is gone
SOCKET_CLOSE_WITHIN_SECONDS = 5.0  # from our close frame to the peer's; then it is cut
SOCKET_SEND_BUFFER_BYTES = 64 * 1024  # by default the kernel swallows 4 MB before a slow reader is noticed

# What people see
SHOWN_FALL_RATIO = 2.0  # seconds a second: a remaining time that falls faster looks like a jump
SHOWN_FALL_AT_ONCE_SECONDS = 30.0  # the news is so much better that it is worth a jump
SHOWN_RISE_RATIO = 1.25  # what is worse by less than this, and by two seconds, is not worth a change
SHOWN_RISE_SECONDS = 2.0
SHOWN_RISE_AFTER_MS = 3_000  # worse news must hold so long: bursts rose 35 times a minute without it, and 5 with it
SHOWN_FROM_SECONDS = 5.0  # of a whole job: of less nobody needs an estimate
SHOWN_QUIET_SECONDS = 15.0  # without progress; then that is said in place of an estimate
SHOWN_RATE_HALF_LIFE_SECONDS = 8.0  # of a download's bytes a second, as people see them
SHOWN_LOST_SECONDS = 3.0  # of a connection; a shorter loss is nobody's business
SHOWN_FILE_IDS = 2  # of those at fault, in one sentence; the others are counted

# The client
CLIENT_CONNECT_WITHIN_SECONDS = 10.0
CLIENT_ANSWER_WITHIN_SECONDS = 35.0  # a long poll is held back for up to 25
CLIENT_HEAD_WITHIN_SECONDS = 10.0  # of a stream
CLIENT_FIRST_FRAME_WITHIN_SECONDS = 4.0  # the gateway sends one at once: who is silent for so long buffers
CLIENT_SILENCE_MAX_SECONDS = 40.0  # two heartbeats, each 15 s ± 20 %, and some
CLIENT_MUTE_OPENS = 2  # in a row; then polling
CLIENT_PROBE_FIRST_SECONDS = 30.0  # while polling; doubled from probe to probe
CLIENT_PROBE_CAP_SECONDS = 300.0
CLIENT_LONG_POLL_SECONDS = 20
CLIENT_RETRY_BASE_MS = 1_000  # of the first pause, doubled from try to try, with full jitter
CLIENT_RETRY_CAP_MS = 30_000
CLIENT_RETRY_FLOOR_MS = 500
CLIENT_TRIES = 10  # in a row without progress
CLIENT_PATIENCE_SECONDS = 300.0  # without progress; progress begins both anew
CLIENT_NOBODY_LISTENS_SECONDS = 5.0  # on this machine, where nobody has answered yet
CLIENT_MAX_FRAME_BYTES = 4 * 1024 * 1024  # of one event; a snapshot of 1,000 files has a hundredth
CLIENT_MAX_ANSWER_BYTES = 16 * 1024 * 1024  # of one answer that is not an archive: a page of 500 events
CLIENT_READ_BYTES = 1024 * 1024  # of a file that is read again, at once
CLIENT_CANCEL_WITHIN_SECONDS = 10.0  # at Ctrl-C: longer nobody waits who wants to leave
CLIENT_VERSION_WITHIN_SECONDS = 3  # whoever asks which release this is has the half that matters already
CLIENT_MAX_ID_FILE_CHARS = 1_000_000  # of a file of ids: room for a thousand with much around them
CLIENT_REFRESHES_PER_SECOND = 4  # of what a terminal shows
CLIENT_LINE_EVERY_MS = 10_000  # of progress, where no terminal is: neither spam nor silence

# Jobs
MAX_WAITING_MS = 86_400_000  # from its creation, or its redrive, to the start of a run; then a job ends as EXPIRED
OWNER_LIST_MS = 40 * 86_400_000  # an owner's list of jobs lives on after the last creation; longer than any job
MAX_FAILURES = 3  # what two repetitions do not mend, a person must look at
MAX_CRASHES = 3  # a job that kills its processors must not go round them all
RETRY_BASE_MS = 2_000  # of the first pause, doubled from try to try, with full jitter
RETRY_CAP_MS = 300_000  # of any pause: what is mended is noticed within five minutes
RETRY_FLOOR_MS = 500  # of any pause: full jitter alone may come to nothing
MAX_ERROR_CHARS = 500  # of a message that ends in a record, an event and a dead letter
MAX_CHECKPOINT_BYTES = 4096  # of a checkpoint in the record, as JSON: a key of 1,024 bytes, an upload id, a hash
MAX_CAUSES = 5  # of an error, that are told to operators
MAX_DEAD_LETTERS = 10_000  # for each partition
DEAD_LETTER_EVENTS = 10  # the last events kept as evidence
DEAD_LETTERS_PER_PAGE = 100  # of a reading; a letter of 10 events is about 3 kB
MAX_LOG_EVENTS = 10_000  # of one job, about 1.9 MB: at one progress event a second almost three hours
PROGRESS_EVERY_MS = 1_000  # 25 µs of Redis each: 10,000 jobs at one a second are a quarter of a core
SWEEP_EVERY_SECONDS = 1.0  # ± 20 %; a job whose processor died waits for its lease and at most this
SWEEP_LOCK_MS = 5_000  # a few turns: so long nobody sweeps when the sweeper dies
JANITOR_LOCK_MS = 15_000  # three looks, and longer than a store may take for one deletion
JANITOR_EVERY_SECONDS = 5.0  # ± 20 %
JANITOR_FULL_PAGE_SECONDS = 0.1  # ± 20 %; after a full page: up to 1,000 steps a second, a twentieth of Redis
JANITOR_PAGE_JOBS = 100  # of each partition, in one turn
JANITOR_JOBS_AT_ONCE = 8  # of a page: a store that answers slowly holds up the others of the page less
JANITOR_DELETE_WITHIN_SECONDS = 10.0  # of one archive; a longer trouble waits for the next try
JANITOR_TRY_AGAIN_MS = 300_000  # after a step that could not be taken: the others that are due come first
CONSISTENCY_PAGE_JOBS = 200  # looked at in one go: 2 ms of Redis, 8.5 µs each; 10,000 waiting jobs take 20 minutes
INSPECTION_EVERY_SECONDS = 3_600.0  # ± 20 %; from the end of a walk, a page at each look of the janitor, to the next
CONSUMER_GONE_AFTER_MS = 3_600_000  # without a sign of life, and owning nothing; one that lives is made again
CONSUMERS_PER_TURN = 1_000  # removed at once
LOST_RUN_AFTER_MS = 60_000  # a run without an entry whose lease ran out is given up: far beyond lease + outage grace
DELETE_WITHIN_SECONDS = 5.0  # of an archive, by the call that deletes its job; the janitor comes for it afterwards
LOG_TRIMMED_AFTER_MS = 900_000  # after the end: viewers that come back by then find every event (terminal.lua)
SWEEP_PAGE_ENTRIES = 100  # of one turn, so that no other call waits for it noticeably; the next goes on behind them
TAKEOVER_GRACE_SECONDS = 1.0  # after an outage nobody is robbed until lease + this

# Commands about dead letters
DEFAULT_LETTERS_LISTED = 100  # for who does not say how many: a few screens
MAX_LETTERS_LISTED = 10_000  # all that one partition keeps
LETTERS_PER_SECOND = 10.0  # a redrive of thousands must not stand before everybody's new jobs at once

# Commands about callbacks
DEFAULT_CALLBACKS_LISTED = 50  # for who does not say how many: a screen or two
MAX_CALLBACKS_LISTED = 10_000  # all dead ones that one partition keeps
CALLBACKS_READ_AT_ONCE = 256  # of a listing, 2 KB each: half a batch of commands, so that others find room beside them
CALLBACKS_OVERDUE_MS = 300_000  # of the one that is due the longest: a processor that lives has tried it by then

# Commands that look at everything
PROCESSOR_SILENT_MS = 15_000  # not heard of for so long: an idle one reads every 4 s, a busy one renews every 5 s
MAX_PROCESSORS_LISTED = 1_000  # of one partition; the names of dead ones pile up in Redis
WAITING_JOBS_LISTED = 5  # those that wait longest
MAX_HISTORY_EVENTS = MAX_LOG_EVENTS + 100  # of one job: all that its log may hold, to the next border of a node
PARTITIONS_LOOKED_BEYOND = 16  # of the agreed number: where jobs are lost from sight when it was lowered by hand
MISFITS_LISTED = 3  # of a kind: enough to look at; what is wrong with one is wrong with all
FILE_IDS_LISTED = 10  # of one job, in text; its JSON has them all

# Callbacks
MAX_CALLBACK_URL_CHARS = 2_048  # of a URL in the record; longer ones are cut by some servers
MAX_HOST_NAME_CHARS = 253  # RFC 1035 §3.1, without the dot at the end
CALLBACK_ADDRESSES_TRIED = (
    8  # of a name's: its owner says how many there are, and each may cost the whole time of a call
)
CALLBACK_LOOK_UP_THREADS = 64  # a name server that never answers holds one for half a minute: 24 of one owner's
MIN_CALLBACK_SECRET_BYTES = 24  # Standard Webhooks 1.0, "Signature scheme"
MAX_CALLBACK_SECRET_BYTES = 64  # of the same
MAX_CALLBACK_TRIES = 20  # of one callback, which keeps as many answers
MAX_CALLBACK_PAUSE_SECONDS = 604_800  # between two tries: who waits for longer does not wait any more
CALLBACK_JITTER_RATIO = 0.25  # of a pause, added at most: what failed together must not come back together
CALLBACK_RETRY_AFTER_MAX_SECONDS = 86_400  # of a receiver's Retry-After: a day is as long as the longest own pause
CALLBACK_WITHIN_SECONDS = 20.0  # one try, from the look-up of the name to the head of the answer
CALLBACK_CONNECT_WITHIN_SECONDS = 10.0  # of these, for one address: two lost packets are sent again within it
CALLBACK_ANSWER_HEAD_BYTES = (
    64 * 1024
)  # of an answer, announcements (1xx) before it included; servers send up to 16 KiB
CALLBACK_ANSWER_PIECE_BYTES = 4 * 1024  # parsed at once: 200 of the shortest heads, 4 ms
CALLBACK_ANSWERS_ANNOUNCED = 16  # by 1xx before an answer: each costs 20 µs of the loop that all jobs share
CALLBACK_LEASE_MS = 60_000  # of one try: three times as long, so that nobody else tries meanwhile
CALLBACKS_AT_ONCE = 40  # of one processor, which waits for most of the time; the admins' four come on top
CALLBACKS_PER_HOST_AT_ONCE = 8  # of these: a slow receiver must not hold up everybody else's
CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE = 4  # of these: a host may be many owners', and one of them be slow there
CALLBACKS_PER_OWNER_AT_ONCE = 16  # of all: one owner may have a hundred slow receivers
CALLBACK_PLACES_FOR_NEWCOMERS = 8  # of all: the last ones, for owners of whom nothing is under way
CALLBACKS_LOOKED_AT_LEAST = 4  # although all places are taken: one may be for the admins, who have their own
CALLBACK_DELIVERERS_LOST = 20  # in a row by one callback, each with all that it had in hand: the callback is to blame
CALLBACK_WAITS_LONGER_MS = 86_400_000  # for a place, or a deliverer, than its schedule takes: then it is given up
CALLBACK_PUT_OFF_FLOOR_MS = 20  # of a callback whose receiver has its places taken: two script calls of 50 µs
CALLBACK_PUT_OFF_CAP_MS = 600_000  # of the same, whose turn is later: 100,000 of them are looked at 170 times a second
CALLBACK_TAKES_MS = 100.0  # a call to a receiver of which nothing is known yet
CALLBACKS_LOOKED_FOR_EVERY_SECONDS = 1.0  # ± 20 %; an end is told within about this
CALLBACKS_GATHERED_FOR_SECONDS = 0.1  # at most, after a word that there is one: those that end together go together
CALLBACK_DRAIN_WITHIN_SECONDS = 5.0  # for calls under way when a processor stops; the rest are handed back
CALLBACK_HANDED_BACK_WITHIN_SECONDS = 2.0  # by a processor that stops; what is not, is due again when its lease ends
MAX_CALLBACK_SECRETS = 4  # that sign at once: a rotation needs two

CALLBACK_UNREAD_PAUSE_MS = 300_000  # before a callback of a newer version is looked at again by one who may know it
CALLBACK_UNREAD_FOR_MS = 3 * 86_400_000  # then it is given up: as long as a receiver that is away is waited for
MAX_DEAD_CALLBACKS = 10_000  # for each partition: those that were given up
DEAD_CALLBACKS_PER_PAGE = 100  # of a listing of them
CALLBACK_TRIES_KEPT = 20  # of one callback, for its owner to see; a schedule of three days has half as many
CALLBACK_KEPT_MS = (
    3 * 86_400_000
)  # after the last callback of a job was told, or given up: for whoever looks, or redelivers
REDELIVERY_PAUSE_MS = 60_000  # between two wishes for one callback that count: each lets its receiver be called at once
CALLBACK_ENDS_KEPT = 20  # of a job that is redriven again and again: callbacks that were told, or given up

# The archive
COPY_CHUNK_BYTES = 256 * 1024  # in one read; so much between two failures of a store is progress
PART_BYTES = 8 * 1024 * 1024  # of a multipart upload: S3 wants at least 5 MiB, R2 equal parts
MAX_PARTS = 10_000  # Amazon S3, "Multipart upload limits"
MAX_ARCHIVE_BYTES = 5 * 2**40  # of one object: Amazon S3, the same page
BATCH_OBJECTS = 64  # read in one thread hop, which costs as much as reading ten small ones; cancelling waits for these
PARTS_IN_FLIGHT = 3  # one is read, one is checked, one is written
PARTS_IN_FLIGHT_BYTES = 64 * 1024 * 1024  # beyond 78 GiB parts grow, and fewer of them are held at once
MAX_RENAMED_LISTED = 20  # of the completed message; the archive has them all
MAX_SKIPPED_LISTED = 20  # of the same; the list inside the archive has them all
MAX_LISTED_NAME_CHARS = 255  # of a skipped file, in the message and in the record

# The remote store
STORE_CONNECT_WITHIN_SECONDS = 5.0  # two lost packets are sent again within this
STORE_SILENCE_MAX_SECONDS = 30.0  # while an answer is awaited; S3 sends a byte now and then during a long Complete
STORE_CALL_WITHIN_SECONDS = 300.0  # one try of one call; a part of 64 MiB at 2 Mbit/s
STORE_TRIES = 8  # in a row without progress: about 15 s on average, which a restarted server needs
STORE_ABORT_TRIES = 5  # about a second: a processor that stops waits for it, and orphans are aborted later
ABORT_WITHIN_SECONDS = 10.0  # of an upload that nobody goes on with: a job slot waits for it
STORE_PATIENCE_SECONDS = 120.0  # no further try after this; longer outages are for the job's own retry
STORE_RETRY_BASE_MS = 200  # of the first pause, doubled from try to try, with full jitter
STORE_RETRY_CAP_MS = 8_000  # of any pause: eight tries are to span a restart, not an outage
STORE_RETRY_FLOOR_MS = 50  # of any pause: full jitter alone may come to nothing
STORE_LOOK_UPS_AT_ONCE = 16  # of one call that describes many objects
STORE_READS_AT_ONCE = 8  # of one call that reads many; a run has a few such calls side by side
STORE_CONNECTIONS = 128  # to one store: 4 slots × 3 parts × 8 reads, and room; with more slots reads wait their turn
STORE_LOOKS_AT_ONCE = 2  # connections kept apart for looks at a store: a busy one must not be taken for a dead one
STORE_LOOK_EVERY_SECONDS = 30.0  # ± 20 %; a thousandth of a cent an hour and process, and soon enough for an alert
STORE_LOOK_AGAIN_SECONDS = 4.0  # ± 20 %; while it cannot be used: whoever mends it wants to see so
STORE_PROBE_WITHIN_SECONDS = 8.0  # of a remote store: longer than it takes to connect
STORE_LOOK_WITHIN_SECONDS = 10.0  # of any store; the remote one has said more exactly by then what does not answer
CREDENTIALS_EVERY_SECONDS = 2.0  # between two looks for keys that nobody has; the metadata service takes a second each
ORPHAN_AGE_MS = 604_800_000  # a week: 5 TiB at 9 MB/s. A living upload that is older dies; the slow must know
ORPHANS_EVERY_SECONDS = 3_600.0  # ± 20 %; they are a week old, so nobody waits for it
ORPHANS_FIRST_MIN_SECONDS = 60.0  # a processor that has just started takes jobs first
ORPHANS_FIRST_MAX_SECONDS = 600.0  # spreads the first looks of a fleet that was started at once
CLOCKS_DIFFER_MS = 86_400_000  # the store's and ours: nobody waits for a stray archive
ARCHIVE_SEARCH_EVERY_MS = 86_400_000  # ± 10 %
ARCHIVE_SEARCH_AGAIN_MS = 3_600_000  # after a turn that could not be taken
ARCHIVE_PERMIT_MS = 86_400_000  # of an operator's word that so many are no mistake
ARCHIVE_SEARCH_PAGES = 1_000  # of a turn: a million objects, half a cent
STRAYS_PER_TURN = 10_000  # archives that no job knows of, kept in memory and deleted in one turn
STRAYS_UNASKED = 100  # deleted without a question, whatever their share: a store of few archives
STRAYS_UNASKED_RATIO = 0.2  # of the archives seen; more, and Redis was emptied, or they are somebody else's
OBJECTS_PER_PAGE = 1_000  # of a listing: Amazon S3, ListObjectsV2 gives no more
PART_LIST_PAGES = 10  # of 1,000 parts each, which are all that an upload has
OPEN_UPLOADS_PAGES = 100  # of 1,000 uploads each; what is beyond is found the next time

# Background work
DEADLINE_SECONDS = 3_600  # of a job, unless set: three runs of a few minutes, two pauses of five, and a deploy between
PARTITIONS_READ_AT_ONCE = 64  # side by side: all of a usual cluster, and of thousands a short pipeline
BACKLOG_EVERY_SECONDS = 5.0  # between readings of the backlog for /metrics
RATE_HALF_LIFE_SECONDS = 20.0  # of a run's bytes a second: an older stretch counts half
RATE_FIRST_SAMPLES = 3  # nothing is said of the remaining time before these,
RATE_FIRST_MS = 3_000  # and before this: a first second tells how caches are filled
SIGN_EVERY_SECONDS = 4.0  # ± 20 %; a processor says that it lives: 10 µs of Redis each
SIGN_COUNTS_MS = 15_000  # a processor that has been silent for three signs is taken for dead; as long as a lease
MAX_LIVING_PROCESSORS = 10_000  # beyond any fleet: a reply stays below a megabyte
QUEUE_LOOK_EVERY_SECONDS = 3.0  # ± 20 %; of a gateway, at what estimates are made from: they are that old at most
QUEUE_LOOKS_KEPT = 20  # a minute of them tells how many jobs end in a second
IDLE_LOOK_EVERY_SECONDS = 1.0  # ± 20 %; a processor with free slots looks for work, woken or not
WATCHDOG_LOOK_EVERY_SECONDS = 0.5  # at the event loop; a lease of silence ends the process
WATCHDOG_LAST_WORDS_SECONDS = 2.0  # for the log line and the stacks of a process that ends itself
MAY_WORK_EVERY_SECONDS = 0.1  # ± 20 %; a look at a variable: whether the stores are back
STOP_WORK_WITHIN_SECONDS = 10.0  # for a cancelled handler: one part's upload and its fsync
HAND_BACK_WITHIN_SECONDS = 12.0  # from the end of a drain until releases are written; handlers have ten of it
STOP_MARGIN_SECONDS = 15  # of a processor's stop that are no drain: handing back, and leaving
MAX_SPANS_WAITING = 100_000  # as OTEL_BSP_MAX_QUEUE_SIZE may ask for: a few hundred megabytes of a process
MAX_TRACE_PAUSE_MS = 86_400_000  # between two batches: beyond some centuries the SDK's thread ends by an overflow
MAX_TRACE_TIMEOUT_SECONDS = 3_600  # of a batch that is sent; sockets overflow as well
MAX_LOCATION_SHOWN_CHARACTERS = 200  # in a log line, of where a redirect leads to
TRACE_FLUSH_SECONDS = 1.0  # for a process' last spans: a stop has two seconds left behind HAND_BACK_WITHIN_SECONDS
LAST_MOMENT_SECONDS = 1.0  # before a stop must be over: a processor that is still there ends itself, with its stacks
SETTLE_WITHIN_SECONDS = 300.0  # how long a run's end is offered to a Redis that does not answer
TOMBSTONE_SECONDS = 86_400  # after the archive is gone its job still answers 410
IDEMPOTENCY_KEY_SECONDS = 86_400  # from its first request; never longer than a job is remembered (retention.py)
RETENTION_SLACK_SECONDS = 3_600  # Redis forgets an ended job this much after its tombstone
