// Runs the board's firmware in MicroPython (WebAssembly), with the board's line on fd 3 and the chips behind fds 4 and 5.
//   node micropython_board.mjs MICROPYTHON.mjs PROGRAM.py ROOT FILE...
// Each FILE of ROOT is copied into MicroPython's file system; then PROGRAM runs, and what it
// defines as turns(), for good.
import fs from "node:fs";
import path from "node:path";

const [runtime, program, root, ...files] = process.argv.slice(2);
const { loadMicroPython } = await import(runtime);
const mp = await loadMicroPython({ stdout: (text) => process.stderr.write(text + "\n"), heapsize: 192 * 1024 });
const FS = mp.FS;
const pause = new Int32Array(new SharedArrayBuffer(4));

function readFully(fd, buffer, offset, length) {
  let got = 0;
  while (got < length) {
    const count = fs.readSync(fd, buffer, offset + got, length - got, null);
    if (count === 0) process.exit(0); // whoever holds the chips has gone
    got += count;
  }
}

function device(name, major, ops) {
  const number = FS.makedev(major, 0);
  FS.registerDevice(number, { open() {}, close() {}, ...ops });
  FS.mkdev(name, number);
}

device("/dev/line", 80, {
  read(stream, buffer, offset, length) {
    try {
      return fs.readSync(3, buffer, offset, length, null);
    } catch (error) {
      if (error.code === "EAGAIN" || error.code === "EIO") return 0; // nothing there, or nobody at the other end
      throw error;
    }
  },
  write(stream, buffer, offset, length) {
    for (let tries = 0; tries < 50; tries++) {
      try {
        return fs.writeSync(3, buffer, offset, length, null);
      } catch (error) {
        if (error.code !== "EAGAIN") return length; // nobody reads: dropped, as on USB
        Atomics.wait(pause, 0, 0, 10);
      }
    }
    return length;
  },
});

device("/dev/bench", 81, {
  read(stream, buffer, offset, length) {
    readFully(5, buffer, offset, length);
    return length;
  },
  write(stream, buffer, offset, length) {
    return fs.writeSync(4, buffer, offset, length, null);
  },
});

for (const file of files) {
  const parts = path.dirname(file).split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    try {
      FS.mkdir("/" + parts.slice(0, depth).join("/"));
    } catch (error) {
      if (error.errno !== 20) throw error; // it is there
    }
  }
  FS.writeFile("/" + file, fs.readFileSync(path.join(root, file)));
}
try {
  mp.runPython(fs.readFileSync(program, "utf-8"));
  for (;;) mp.runPython("turns()");
} catch (error) {
  process.stderr.write(String(error.message ?? error) + "\n");
  process.exit(3);
}
