// The AWS SDK for JavaScript on S3: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({});
const Bucket = process.env.BUCKET;
const MIB = 2 ** 20;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("a file is streamed up and down", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "up-")), "body");
  const body = Buffer.alloc(2 * MIB + 17, "cloudlet ");
  await writeFile(file, body);
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: "from a/stream ü+.bin",
      Body: createReadStream(file),
      ContentLength: (await stat(file)).size,
      Metadata: { who: "ann" },
    }),
  );
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "from a/stream ü+.bin" }));
  assert.equal(got.Metadata.who, "ann");
  assert.equal(sha256(await got.Body.transformToByteArray()), sha256(body));

  const part = await s3.send(new GetObjectCommand({ Bucket, Key: "from a/stream ü+.bin", Range: "bytes=9-16" }));
  assert.equal(await part.Body.transformToString(), "cloudlet");
  assert.equal(part.ContentRange, `bytes 9-16/${body.length}`);
});

test("a stream of unknown length is uploaded in parts", async () => {
  const piece = Buffer.alloc(MIB, "part ");
  const pieces = Readable.from((function* () { for (let n = 0; n < 12; n++) yield piece; })());
  const upload = new Upload({
    client: s3,
    params: { Bucket, Key: "parts", Body: pieces, ContentType: "text/x-parts", ChecksumAlgorithm: "CRC32C" },
    partSize: 5 * MIB,
    queueSize: 3,
  });
  let loaded = 0;
  upload.on("httpUploadProgress", (progress) => (loaded = Math.max(loaded, progress.loaded)));
  const done = await upload.done();
  assert.match(done.ETag, /-3"$/);
  assert.equal(loaded, 12 * MIB);

  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "parts", ChecksumMode: "ENABLED" }));
  assert.equal(got.ContentType, "text/x-parts");
  assert.match(got.ChecksumCRC32C, /-3$/);
  assert.equal(sha256(await got.Body.transformToByteArray()), sha256(Buffer.concat(Array(12).fill(piece))));
});

test("an upload that fails is aborted", async () => {
  const breaking = Readable.from((function* () { yield Buffer.alloc(6 * MIB); throw new Error("the disk is broken"); })());
  const upload = new Upload({ client: s3, params: { Bucket, Key: "broken", Body: breaking } });
  await assert.rejects(upload.done(), /the disk is broken/);
  await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: "broken" })), { name: "NotFound" });
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.equal(Uploads, undefined);
});

test("a bare fetch uses presigned URLs", async () => {
  const Key = "signed/ö.txt";
  const up = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key, ContentType: "text/x-signed" }), {
    expiresIn: 60,
    signableHeaders: new Set(["content-type"]),
  });
  const put = await fetch(up, { method: "PUT", body: "by fetch", headers: { "content-type": "text/x-signed" } });
  assert.equal(put.status, 200, await put.text());

  const down = await getSignedUrl(
    s3,
    new GetObjectCommand({ Bucket, Key, ResponseContentDisposition: 'attachment; filename="o.txt"' }),
    { expiresIn: 60 },
  );
  const got = await fetch(down);
  assert.equal(await got.text(), "by fetch");
  assert.equal(got.headers.get("content-type"), "text/x-signed");
  assert.equal(got.headers.get("content-disposition"), 'attachment; filename="o.txt"');
});

test("a form of a browser is accepted within its conditions", async () => {
  const { url, fields } = await createPresignedPost(s3, {
    Bucket,
    Key: "forms/${filename}",
    Conditions: [["content-length-range", 1, 10], ["starts-with", "$key", "forms/"]],
    Expires: 60,
  });
  const post = (text) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", new Blob([text]), "note.txt");
    return fetch(url, { method: "POST", body: form });
  };
  const taken = await post("in a form");
  assert.equal(taken.status, 204, await taken.text());
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "forms/note.txt" }));
  assert.equal(await got.Body.transformToString(), "in a form");
  const refused = await post("longer than ten bytes");
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /EntityTooLarge/);
});

test("objects are copied, listed in pages and deleted", async () => {
  const keys = Array.from({ length: 12 }, (_, n) => `list/${String(n).padStart(2, "0")} ü&<`);
  await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))));
  await s3.send(
    new CopyObjectCommand({ Bucket, Key: "list/copy", CopySource: encodeURI(`${Bucket}/${keys[3]}`) }),
  );
  const listed = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 5 }, { Bucket, Prefix: "list/" })) {
    listed.push(...page.Contents.map((each) => each.Key));
  }
  assert.deepEqual(listed, [...keys, "list/copy"]);
  const copy = await s3.send(new GetObjectCommand({ Bucket, Key: "list/copy" }));
  assert.equal(await copy.Body.transformToString(), keys[3]);

  const removed = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: listed.map((Key) => ({ Key })) } }),
  );
  assert.equal(removed.Deleted.length, 13);
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: keys[0] })), NoSuchKey);
});
