"""The Velocity Template Language: what templates become."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.apigateway.vtl import UTIL, Input, VtlError, compiled

BODY = (
    '{"name": "Ada", "age": 36, "height": 1.7, "tags": ["a", "b"], "deep": {"x": [{"y": 1}, {"y": 2}]}, '
    '"odd key": true, "quote": "it\'s \\"so\\"", "nothing": null}'
)
TWICE = "#set($l = [1])" + "#set($l = [$l, $l])" * 19
TEXT = "#set($s = 'xxxxxxxxxx')" + '#set($s = "$s$s")' * 17


def render(template: str, **variables: Any) -> str:
    params = {"path": {"id": "7"}, "querystring": {"q": "1", "id": "no"}, "header": {"X-Own": "me"}}
    given = {
        "input": Input(BODY, params),
        "util": UTIL,
        "context": {"stage": "dev", "identity": {"sourceIp": "1.2.3.4"}},
        "stageVariables": {"color": "blue"},
        **variables,
    }
    return compiled(template).render(given).text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # References
        ("$context.stage and ${context.stage}s", "dev and devs"),
        ("$context.identity.sourceIp.", "1.2.3.4."),
        ("$nothing $!nothing ${nothing.of.it} $!{nothing}.", "$nothing  ${nothing.of.it} ."),
        ("$stageVariables.get('color') $stageVariables['color']", "blue blue"),
        ("costs $5, or $ 5; a # b, #1", "costs $5, or $ 5; a # b, #1"),
        (r"\$context.stage \\$context.stage \$nothing", r"$context.stage \dev \$nothing"),
        ("a@b.c #foo #bar(", "a@b.c #foo #bar("),
        # Comments and text that is left alone
        ("a## gone\nb", "ab"),
        ("a#* gone $x\n *#b", "ab"),
        ("#[[ $context.stage #if ]]#!", " $context.stage #if !"),
        # #set and expressions
        ("#set($x = 5)$x", "5"),
        ("  #set($x = 'a')\n$x", "a"),
        ('#set($x = "in $context.stage: #if(true)yes#end")$x', "in dev: yes"),
        ("#set($x = 'no $context')$x", "no $context"),
        ("#set($x = 7 / 2)#set($y = -7 / 2)#set($z = 7 % 3)$x $y $z", "3 -3 1"),
        ("#set($x = 1 + 2 * 3)$x", "7"),
        ("#set($x = (1 + 2) * 3)$x", "9"),
        ("#set($x = 7.0 / 2)$x", "3.5"),
        ("#set($x = 'a' + 1)$x", "a1"),
        ("#set($x = [1, 'b', true])$x $x[1] $x.get(0) $x.size()", "[1, b, true] b 1 3"),
        ("#set($x = {'a': 1, 'b': {'c': 2}})$x $x.a $x.b.c $x['b']", "{a=1, b={c=2}} 1 2 {c=2}"),
        ("#set($x = [1..3])$x #set($y = [2..0])$y", "[1, 2, 3][2, 1, 0]"),
        ("#set($x = {})#set($x.a = 1)#set($x['b'] = 2)$x", "{a=1, b=2}"),
        ("#set($x = 1)#set($x = $nothing)$x", "1"),
        ("#set($x = [])#set($y = $x.add('a'))$y $x", "true [a]"),
        ("#set ( $x = 1 )$x", "1"),
        # #if
        ("#if(true)a#{else}b#end", "a"),
        ("#if($nothing)a#{else}b#end", "b"),
        ("#if(!$nothing && 1 == 1.0)a#end", "a"),
        ("#if('a' == \"a\" and 2 > 1)a#end", "a"),
        ("#if(1 > 2)a#elseif(2 gt 1)b#{else}c#end", "b"),
        ("#if(1 ne 2 || $x.y)a#end", "a"),
        ("#if($context.stage == 'dev')\nyes\n#else\nno\n#end\n", "yes\n"),
        ("#if('')empty#end", "empty"),
        ("#if(true)a#end-b", "a-b"),
        ("#if(true)a#endb", "ab"),
        # #foreach
        ("#foreach($x in [1..3])$x#if($foreach.hasNext), #end#end", "1, 2, 3"),
        ("#foreach($x in ['a', 'b'])$foreach.index$foreach.count$velocityCount$x #end$x", "011a 122b $x"),
        ("#foreach($k in $stageVariables.keySet())$k=$stageVariables.get($k)#end", "color=blue"),
        ("#set($m = {'a': 1})#foreach($e in $m.entrySet())$e.key:$e.getValue()#end", "a:1"),
        ("#foreach($x in [1..5])#if($x == 3)#break#end$x#end!", "12!"),
        ("#foreach($x in [1, 2])#foreach($y in [1, 2])$foreach.parent.count$y #end#end", "11 12 21 22 "),
        ("#foreach($x in $nothing)a#end", ""),
        ("a#stop b", "a"),
        # Macros and definitions
        ("#macro(twice $x)$x$x#end#twice('a')#twice(1)", "aa11"),
        ("#macro(sum $a $b)#set($s = $a + $b)$s#end#sum(1 2) #sum(3, 4)", "3 7"),
        ("#define($x)[$y]#end#set($y = 1)$x#set($y = 2)$x", "[1][2]"),
        # Texts
        ("#set($s = ' a,b,,c,, ')$s.trim().split(',')", "[a, b, , c]"),
        (
            "#set($s = 'abcabc')$s.replace('b', 'x') $s.replaceAll('[ab]', '-') $s.replaceFirst('b', '')",
            "axcaxc --c--c acabc",
        ),
        ("#set($s = 'abc')$s.substring(1) $s.substring(0, 2) $s.length() $s.indexOf('c')", "bc ab 3 2"),
        ("#set($s = 'Abc')$s.toLowerCase() $s.toUpperCase() $s.startsWith('A') $s.equals('Abc')", "abc ABC true true"),
        ("#set($s = 'a-1')$s.replaceAll('([a-z])-(\\d)', '$2$1') $s.matches('a.*')", "1a true"),
        ("#set($i = 0)#set($n = $i.parseInt('12') + 1)$n", "13"),
        # $input
        ("$input.path('$.name') $input.path('$.age') $input.path('$.deep.x[1].y')", "Ada 36 2"),
        (
            "$input.json('$.name') $input.json('$.tags') $input.json('$.deep')",
            '"Ada" ["a","b"] {"x":[{"y":1},{"y":2}]}',
        ),
        ("$input.path('$.tags') $input.path('$.deep.x')", '["a","b"] [{"y":1},{"y":2}]'),
        ("$input.path('$[\"odd key\"]') $input.json('$.missing') [$input.path('$.missing')]", 'true "" []'),
        ("$input.json('$..y') $input.json('$.deep.x[*].y') $input.json('$.tags[0:1]')", '[1,2] [1,2] ["a"]'),
        ("$input.path('$.tags.length()')", "2"),
        ("$input.json('$.deep.x[?(@.y == 2)]') $input.json('$.deep.x[?(@.y > 0 && @.y<2)].y')", '[{"y":2}] [1]'),
        ("$input.json('$.deep.x[?(@.z)]') $input.json(\"$.deep.x[?(@.y != 1 || @['y'] == 1)].y\")", "[] [1,2]"),
        ("$input.json(\"$..[?(@.name == 'Ada')].age\") $input.json('$.deep.x[?(!@.z)].y')", "[36] [1,2]"),
        ("$input.params('id') $input.params('q') $input.params('x-own') $input.params().header['X-Own']", "7 1 me me"),
        ("$input.params().path.id", "7"),
        ("#set($root = $input.path('$'))$root.name $root.tags.size() #foreach($t in $root.tags)$t#end", "Ada 2 ab"),
        # $util
        ("$util.escapeJavaScript($input.path('$.quote'))", 'it\\\'s \\"so\\"'),
        (
            "$util.base64Encode('ä') $util.base64Decode('YQ==') $util.urlEncode('a b&c') $util.urlDecode('a+b')",
            "w6Q= a a+b%26c a b",
        ),
        ("#set($o = $util.parseJson('{\"a\": [1]}'))$o.a[0]", "1"),
    ],
)
def test_a_template_becomes(template: str, text: str) -> None:
    assert render(template) == text


def test_what_a_template_leaves() -> None:
    template = compiled("#set($context.responseOverride.status = 201)")
    context: dict[str, Any] = {"responseOverride": {}}
    template.render({"context": context})
    assert context == {"responseOverride": {"status": 201}}


@pytest.mark.parametrize(
    "template",
    [
        "#if(true)",
        "#end",
        "#else",
        "#if()a#end",
        "#set($x)",
        "#set($x = )",
        "#foreach($x)a#end",
        "#parse('x')",
        "#if(true)a#else b#elseif(true)c#end",
        "$input.path(",
        "#foreach($e in {'a': 1}.entrySet())a#end",
        "#set($x = 99999999999999999999)",
        "#set($x = 'a)",
        "#[[ a",
        "#set($x = " + "(" * 200 + "1" + ")" * 200 + ")",
        "#if(true)" * 200,
    ],
)
def test_templates_that_cannot_be_read(template: str) -> None:
    with pytest.raises(VtlError):
        compiled(template)


@pytest.mark.parametrize(
    "template",
    [
        "#foreach($a in [1..1000])#foreach($b in [1..1000])x#end#end",
        "#set($s = 'xxxxxxxxxx')#foreach($a in [1..100])#set($s = \"$s$s\")#end",
        "#set($s = 'xxxxxxxxxx')#foreach($a in [1..100])#set($s = $s + $s)#end",
        "#set($s = 'xxxxxxxxxx')#foreach($a in [1..100])#set($s = $s.replace('x', $s))#end",
        "#set($l = [1])#foreach($a in [1..100])#set($l = [$l, $l])#end$l",
        "#set($l = [1])#foreach($a in [1..100])#set($n = $l.addAll($l))#end",
        "#set($l = [])#set($n = $l.add($l))$l",
        "#macro(again)#again()#end#again()",
        "#define($x)$x#end$x",
        "#set($x = [1..999999999])",
        "$util.parseJson('{')",
        "$input.path('$[?(@.a =~ /x/)]')",
        "#set($s = 'a')$s.replaceAll('(?=a)', 'b')",
        # What is doubled again and again is in memory once, but takes long to go through.
        TWICE + "#set($t = $l.toString())",
        TWICE + "#set($m = [$l])#if($m.contains($l))yes#end",
        TWICE + "#set($n = $input.path('$.tags').add($l))#set($t = $input.json('$'))",
        TEXT + "#set($t = $util.escapeJavaScript($s))" * 20,
        TEXT + '#set($t = "$s")' * 200,
        TEXT + "#set($t = $s + 1)" * 200,
        "#set($l = [1..99999])#foreach($i in [1..1000])#set($n = $l.contains(0))#end",
        "#set($l = [1..99999])#foreach($i in [1..1000])#set($n = $l.subList(0, 9999))#end",
    ],
)
def test_templates_that_go_too_far(template: str) -> None:
    with pytest.raises(VtlError):
        render(template)


def test_loops_have_a_thousand_turns() -> None:
    assert len(render("#foreach($x in [1..5000])x#end")) == 1000


@given(st.text("$#!{}()[].'\"\\ abx=1,:\n", max_size=40))
def test_any_text_is_rendered_or_refused(template: str) -> None:
    try:
        render(template)
    except VtlError:
        return


@given(st.text(st.characters(exclude_characters="$#\\"), max_size=40))
def test_text_without_signs_stays_as_it_is(text: str) -> None:
    assert render(text) == text
