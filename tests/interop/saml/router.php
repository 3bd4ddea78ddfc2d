<?php // The built-in server does not split a path behind a script's name; a web server as SimpleSAMLphp expects it does.
$root = getenv('SSP_WWW');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!preg_match('#^(/.*?\.php)(/.*)?$#', $path, $parts) || !is_file($root . $parts[1])) {
    return false;
}
$_SERVER['PHP_SELF'] = $path;
$_SERVER['SCRIPT_NAME'] = $parts[1];
$_SERVER['SCRIPT_FILENAME'] = $root . $parts[1];
$_SERVER['PATH_INFO'] = $parts[2] ?? '';
chdir(dirname($_SERVER['SCRIPT_FILENAME']));
require $_SERVER['SCRIPT_FILENAME'];
return true;
