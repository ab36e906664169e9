<?php
// Tells, in JSON, everything a page of PHP knows of its request.
$body = file_get_contents('php://input');
header('Content-Type: application/json');
echo json_encode([
    'server' => $_SERVER, 'get' => $_GET, 'post' => $_POST, 'cookies' => $_COOKIE, 'pid' => getmypid(),
    'proxy' => getenv('HTTP_PROXY'), 'length' => strlen($body), 'hash' => hash('fnv1a64', $body),
    'files' => array_map(fn ($file) => [
        $file['name'], $file['size'], $file['error'], $file['tmp_name'] ? hash_file('fnv1a64', $file['tmp_name']) : null,
    ], $_FILES),
], JSON_PARTIAL_OUTPUT_ON_ERROR);
