<?php
// index.php lists the posts, index.php/NAME shows one.
header('Content-Type: text/plain');
header('X-Process: ' . getmypid());
$name = basename($_SERVER['PATH_INFO'] ?? '');
$post = __DIR__ . "/posts/$name.txt";
if ($name === '') {
    echo getenv('BLOG'), ': ', implode(', ', array_map(fn ($file) => basename($file, '.txt'), glob(__DIR__ . '/posts/*.txt'))), "\n";
} elseif (is_file($post)) {
    readfile($post);
} else {
    http_response_code(404);
    echo "There is no post $name.\n";
}
