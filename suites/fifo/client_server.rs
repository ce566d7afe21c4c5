//! A server that receives requests over one FIFO and answers each client over a FIFO of that client. The server holds a write end
//! of its own FIFO, and opens those of the clients with `O_NONBLOCK`.

use conformance::prelude::*;

use super::fixture::Fifo;

/// How many requests were answered, how many times `open` for the answer failed with `ENXIO`, and how many times `write` of the
/// answer failed with `EPIPE`.
type Served = (u32, u32, u32);

/// The client number that stops the server.
const STOP: u8 = 0;

fn answers_of(requests: &Fifo, client: u8) -> PathBuf {
    requests.sibling(&format!("client-{client}"))
}

/// Serves until it reads `STOP`. A request is the number of the client and a byte, the answer is the complement of that byte.
fn serve(requests: &Fifo, link: &Link) -> Result<Served, Errno> {
    signal::ignore(Signal::SIGPIPE)?;
    let input = open(requests.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let _own_write_end = open(requests.path(), OFlag::O_WRONLY)?;
    set_nonblocking(&input, false)?;
    link.reached("serving");
    let (mut answered, mut not_opened, mut not_written) = (0, 0, 0);
    loop {
        match read_exactly(&input, 2)?[..] {
            [STOP, _] => return Ok((answered, not_opened, not_written)),
            [client, byte] => match open(&answers_of(requests, client), OFlag::O_WRONLY | OFlag::O_NONBLOCK) {
                Ok(output) => match write(&output, &[!byte]) {
                    Ok(_) => answered += 1,
                    Err(EPIPE) => not_written += 1,
                    Err(other) => return Err(other),
                },
                Err(ENXIO) => not_opened += 1,
                Err(other) => return Err(other),
            },
            _ => return Err(EIO),
        }
    }
}

fn start(requests: &Fifo) -> Result<Participant<Result<Served, Errno>>, Failure> {
    let server = Participant::spawn("server", (), |(), link| serve(requests, link))?;
    server.until_reached("serving")?;
    Ok(server)
}

/// Sends a request and reads the answer from a FIFO of the client, which is open for reading before the request is sent.
fn ask(requests: &Fifo, client: u8, byte: u8) -> Result<u8, Errno> {
    let path = answers_of(requests, client);
    mkfifo(&path, 0o600)?;
    let input = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    // A write end of its own, so that `read` blocks until the answer and does not return end-of-file.
    let _own = open(&path, OFlag::O_WRONLY)?;
    set_nonblocking(&input, false)?;
    write_all(requests.writer()?, &[client, byte])?;
    let answer = read_exactly(&input, 1)?[0];
    unlink(&path)?;
    Ok(answer)
}

fn stop(requests: &Fifo) -> Result<(), Errno> {
    write_all(requests.writer()?, &[STOP, 0])
}

/// A server that has its own request FIFO open for reading and for writing blocks in `read` of that FIFO after each of three
/// clients in turn has written a request and closed the FIFO, and `read` does not return 0. Each client reads from its answer
/// FIFO the answer of the server, which is the complement of the byte in its request.
#[conformance::test(posix = "open", posix = "read")]
fn server_blocks_between_clients() -> Outcome {
    let requests = Fifo::new()?;
    let server = start(&requests)?;
    for client in 1..=3 {
        server.until_blocked()?;
        expect_eq!(ask(&requests, client, 0x0f), Ok(0xf0));
    }
    server.until_blocked()?;
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((3, 0, 0)));
    Ok(())
}

/// If a client wrote a request to the request FIFO of a server and no process has the answer FIFO of that client open for
/// reading, `open` of the answer FIFO with `O_WRONLY | O_NONBLOCK` by the server fails with `ENXIO`. The next client then reads
/// from its own answer FIFO the complement of the byte in its request.
#[conformance::test(posix = "open", posix = "write")]
fn server_survives_a_client_without_reader() -> Outcome {
    let requests = Fifo::new()?;
    mkfifo(&answers_of(&requests, 9), 0o600)?;
    let server = start(&requests)?;
    write_all(requests.writer()?, &[9, 1])?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 1, 0)));
    Ok(())
}

/// If a client that wrote a request is killed while it is blocked in `read` of its answer FIFO, a later `open` of that answer
/// FIFO with `O_WRONLY | O_NONBLOCK` by the server fails with `ENXIO`. The next client then reads from its own answer FIFO the
/// complement of the byte in its request.
#[conformance::test(posix = "open", posix = "_Exit")]
fn server_survives_a_killed_client() -> Outcome {
    let requests = Fifo::new()?;
    let server = start(&requests)?;
    // While the server is stopped, the client is killed before the answer.
    server.until_blocked()?;
    server.stop()?;
    let victim = Participant::spawn("victim", (), |(), _| ask(&requests, 9, 1))?;
    victim.until_blocked()?;
    victim.kill()?;
    server.resume()?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 1, 0)));
    Ok(())
}

/// If four clients at the same time each write 5 requests, one after the other, to the request FIFO of one server, which writes
/// the complement of the byte in each request to the answer FIFO of that client, each client reads from its answer FIFO the
/// complements of the bytes in its own 5 requests, in order.
#[conformance::test(posix = "open", posix = "write")]
fn concurrent_clients_get_their_own_answers() -> Outcome {
    let requests = Fifo::new()?;
    let server = start(&requests)?;
    let mut clients = Vec::new();
    for id in 1..=4_u8 {
        clients.push(Participant::spawn(&format!("client {id}"), (), |(), _| {
            (0..5).map(|round| ask(&requests, id, id * 16 + round)).collect::<Result<Vec<u8>, Errno>>()
        })?);
    }
    for (id, client) in (1..=4_u8).zip(clients) {
        expect_eq!(client.join()?, Ok((0..5).map(|round| !(id * 16 + round)).collect::<Vec<u8>>()));
    }
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((20, 0, 0)));
    Ok(())
}

/// After a server that is the only process with a request FIFO open is killed, `open` of the FIFO with `O_WRONLY | O_NONBLOCK` by
/// a client fails with `ENXIO`. After a second server opens the same FIFO for reading, that `open` returns a descriptor, `write`
/// of a request of 2 bytes returns 2, and `read` from the answer FIFO returns the complement of the second byte of the request.
#[conformance::test(posix = "open")]
fn killed_server_can_be_replaced() -> Outcome {
    let requests = Fifo::new()?;
    let server = start(&requests)?;
    server.kill()?;
    expect_eq!(requests.writer().map(drop), Err(ENXIO));
    let server = start(&requests)?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 0, 0)));
    Ok(())
}
