<?php
// One request of a storm: notes under a lock of this process when it begins and ends, hashes what came and what goes.
$notes = __DIR__ . '/notes';
$mine = $notes . '/busy.' . getmypid();
$lock = fopen($mine, 'c+');
if (!flock($lock, LOCK_EX | LOCK_NB) || stream_get_contents($lock) !== '') {
    file_put_contents("$notes/violations.log", getmypid() . " was busy\n", FILE_APPEND | LOCK_EX);
}
fwrite($lock, $_SERVER['QUERY_STRING']);
file_put_contents("$notes/requests.log", getmypid() . "\n", FILE_APPEND | LOCK_EX);
// Also when the client has gone and the page is cut off.
register_shutdown_function(function () use ($lock) { ftruncate($lock, 0); flock($lock, LOCK_UN); });

// The host's own test has FNV only; the large storm of `benches` asks for something faster.
$algorithm = ($_GET['hash'] ?? '') === 'sha1' ? 'sha1' : 'fnv1a64';
$incoming = hash_init($algorithm);
$length = 0;
for ($in = fopen('php://input', 'r'); !feof($in);) {
    $part = fread($in, 1 << 20);
    $length += strlen($part);
    hash_update($incoming, $part);
}
$seed = (int) ($_GET['seed'] ?? 0);
$size = (int) ($_GET['size'] ?? 100);
$page = substr(str_repeat("$seed:" . md5((string) $seed) . "\n", intdiv($size, 32) + 1), 0, $size);
header('Content-Type: application/octet-stream');
header('X-Seed: ' . $seed);
header("X-Got: $length " . hash_final($incoming));
header('X-Hash: ' . hash($algorithm, $page));
if (isset($_GET['counted'])) header('Content-Length: ' . strlen($page));
echo $page;
