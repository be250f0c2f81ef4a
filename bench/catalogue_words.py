"""The words that generated products are made of: Japanese, its reading, English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Word:
    ja: str
    kana: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Thing:
    """What is sold: `of` names what it may be made of, `sized` how it is measured."""

    word: Word
    category: str
    of: str
    sized: str
    lowest_yen: int
    highest_yen: int


def _words(text: str) -> tuple[Word, ...]:
    return tuple(Word(*line.split("|")) for line in text.strip().splitlines())


def _things(text: str) -> tuple[Thing, ...]:
    found = []
    for line in text.strip().splitlines():
        ja, kana, en, zh, category, of, sized, low, high = line.split("|")
        found.append(Thing(Word(ja, kana, en, zh), category, of, sized, int(low), int(high)))
    return tuple(found)


CATEGORIES: Final = {
    "茶": ("Tea", "茶"),
    "台所": ("Kitchen", "厨房"),
    "器": ("Tableware", "器皿"),
    "文具": ("Stationery", "文具"),
    "身につける": ("To wear", "穿戴"),
    "住まい": ("Home", "家居"),
    "音": ("Sound", "声音"),
    "旅": ("Travel", "旅行"),
    "電気": ("Electronics", "电器"),
    "食べもの": ("Food", "食品"),
}

THINGS: Final = _things("""
急須|きゅうす|teapot|急须|茶|clay|ml|3200|16000
湯のみ|ゆのみ|tea cup|茶杯|茶|clay|ml|900|5200
抹茶碗|まっちゃわん|matcha bowl|抹茶碗|茶|clay|span|3000|24000
茶筒|ちゃづつ|tea caddy|茶筒|茶|metal|g|1800|14000
茶托|ちゃたく|tea saucer|茶托|茶|wood|span|700|3600
茶さじ|ちゃさじ|tea scoop|茶匙|茶|wood|span|600|2800
茶こし|ちゃこし|tea strainer|滤茶网|茶|metal|span|800|3200
鉄瓶|てつびん|tetsubin kettle|铁瓶|茶|iron|l|12000|48000
丸盆|まるぼん|round tray|圆盘|茶|wood|span|2400|12000
煎茶|せんちゃ|sencha|煎茶|茶|region|g|800|3200
ほうじ茶|ほうじちゃ|hojicha|焙茶|茶|region|g|600|1800
玄米茶|げんまいちゃ|genmaicha|玄米茶|茶|region|g|600|1800
抹茶|まっちゃ|matcha|抹茶|茶|region|g|1200|5400
紅茶|こうちゃ|black tea|红茶|茶|region|g|900|2600
三徳包丁|さんとくぼうちょう|santoku knife|三德刀|台所|steel|mm|5400|26000
出刃包丁|でばぼうちょう|deba knife|出刃刀|台所|steel|mm|6800|32000
パン切り包丁|ぱんきりぼうちょう|bread knife|面包刀|台所|steel|mm|4200|14000
ペティナイフ|ぺてぃないふ|petty knife|水果刀|台所|steel|mm|3600|16000
まな板|まないた|cutting board|砧板|台所|wood|span|1800|9800
フライパン|ふらいぱん|frying pan|煎锅|台所|pan|span|2400|14000
土鍋|どなべ|clay pot|陶土锅|台所|clay|l|4800|19000
行平鍋|ゆきひらなべ|saucepan|雪平锅|台所|pan|span|1900|8800
玉子焼き鍋|たまごやきなべ|omelette pan|玉子烧锅|台所|pan|span|1600|13000
やかん|やかん|kettle|水壶|台所|pan|l|2200|12000
せいろ|せいろ|bamboo steamer|蒸笼|台所|wood|span|2200|9800
おろし金|おろしがね|grater|研磨板|台所|metal|span|900|7200
木べら|きべら|spatula|木铲|台所|wood|span|600|2600
ボウル|ぼうる|mixing bowl|料理盆|台所|metal|span|900|4200
保存容器|ほぞんようき|storage container|保鲜盒|台所|glass|ml|700|3600
エプロン|えぷろん|apron|围裙|台所|cloth|free|2200|9800
ふきん|ふきん|dishcloth|抹布|台所|cloth|set|400|1800
飯碗|めしわん|rice bowl|饭碗|器|clay|span|1200|5800
汁椀|しるわん|soup bowl|汤碗|器|wood|span|1800|12000
皿|さら|plate|盘|器|clay|span|900|8800
小鉢|こばち|small bowl|小钵|器|clay|span|800|4200
丼|どんぶり|noodle bowl|大碗|器|clay|span|1400|6200
箸|はし|chopsticks|筷子|器|wood|span|600|4800
箸置き|はしおき|chopstick rest|筷架|器|clay|set|400|2200
マグカップ|まぐかっぷ|mug|马克杯|器|clay|ml|1200|4800
タンブラー|たんぶらー|tumbler|平底杯|器|glass|ml|1400|9800
ぐい呑み|ぐいのみ|sake cup|酒杯|器|glass|ml|1100|7800
徳利|とっくり|sake flask|酒壶|器|clay|ml|1800|8200
重箱|じゅうばこ|stacked box|重箱|器|wood|span|6800|38000
スプーン|すぷーん|spoon|勺子|器|wood|span|500|2600
ノート|のーと|notebook|笔记本|文具|paper|paper|300|2800
手帳|てちょう|planner|手账|文具|paper|paper|1200|5200
万年筆|まんねんひつ|fountain pen|钢笔|文具|pen|nib|3800|48000
ボールペン|ぼーるぺん|ballpoint pen|圆珠笔|文具|pen|nib|180|6800
シャープペンシル|しゃーぷぺんしる|mechanical pencil|自动铅笔|文具|pen|nib|280|6200
鉛筆|えんぴつ|pencil|铅笔|文具|wood|lead|120|1800
消しゴム|けしごむ|eraser|橡皮|文具|plain|set|80|600
インク|いんく|ink|墨水|文具|plain|ml|900|3200
便箋|びんせん|letter paper|信纸|文具|paper|paper|400|1900
付箋|ふせん|sticky notes|便签|文具|paper|set|220|900
定規|じょうぎ|ruler|尺子|文具|metal|span|300|2600
はさみ|はさみ|scissors|剪刀|文具|steel|mm|900|6800
筆箱|ふでばこ|pen case|笔盒|文具|leather|free|1600|8200
硯|すずり|inkstone|砚台|文具|plain|span|3200|26000
スニーカー|すにーかー|sneakers|运动鞋|身につける|cloth|shoe|5800|24000
草履|ぞうり|rush sandals|草履|身につける|cloth|shoe|3200|12000
革靴|かわぐつ|leather shoes|皮鞋|身につける|leather|shoe|14000|52000
靴下|くつした|socks|袜子|身につける|cloth|sock|700|3200
手ぬぐい|てぬぐい|tenugui towel|手巾|身につける|cloth|cm|900|2400
帽子|ぼうし|hat|帽子|身につける|cloth|free|2800|12000
マフラー|まふらー|scarf|围巾|身につける|cloth|cm|3200|24000
手袋|てぶくろ|gloves|手套|身につける|leather|wear|2400|14000
傘|かさ|umbrella|雨伞|身につける|cloth|cm|2800|18000
日傘|ひがさ|parasol|阳伞|身につける|cloth|cm|3200|19000
財布|さいふ|wallet|钱包|身につける|leather|free|5800|32000
ベルト|べると|belt|腰带|身につける|leather|cm|3200|14000
シャツ|しゃつ|shirt|衬衫|身につける|cloth|wear|3800|16000
作務衣|さむえ|samue work wear|作务衣|身につける|cloth|wear|6800|22000
眼鏡|めがね|glasses|眼镜|身につける|plain|free|8800|42000
バスタオル|ばすたおる|bath towel|浴巾|住まい|cloth|cm|1800|6800
座布団|ざぶとん|floor cushion|坐垫|住まい|cloth|cm|2800|11000
枕|まくら|pillow|枕头|住まい|cloth|cm|2600|12000
毛布|もうふ|blanket|毛毯|住まい|cloth|cm|5800|28000
ろうそく|ろうそく|candle|蜡烛|住まい|plain|set|600|3200
線香|せんこう|incense|线香|住まい|plain|g|700|4200
ほうき|ほうき|broom|扫帚|住まい|wood|cm|1800|9800
花瓶|かびん|vase|花瓶|住まい|clay|cm|2200|18000
掛け時計|かけどけい|wall clock|挂钟|住まい|wood|cm|4800|26000
卓上ランプ|たくじょうらんぷ|table lamp|台灯|住まい|lamp|cm|4200|32000
椅子|いす|chair|椅子|住まい|wood|cm|12000|68000
石けん|せっけん|soap|香皂|住まい|plain|g|400|2200
スリッパ|すりっぱ|slippers|拖鞋|住まい|cloth|wear|1800|6800
ヘッドホン|へっどほん|headphones|耳机|音|audio|model|4800|58000
イヤホン|いやほん|earphones|耳塞|音|audio|model|2400|42000
スピーカー|すぴーかー|speaker|音箱|音|audio|model|4800|68000
ラジオ|らじお|radio|收音机|音|audio|model|3200|19000
レコードプレーヤー|れこーどぷれーやー|record player|黑胶唱机|音|audio|model|18000|98000
オルゴール|おるごーる|music box|八音盒|音|wood|cm|3200|24000
横笛|よこぶえ|flute|横笛|音|wood|cm|3800|28000
太鼓|たいこ|drum|太鼓|音|wood|cm|8800|68000
旅かばん|たびかばん|travel bag|旅行包|旅|cloth|litre|8800|38000
リュック|りゅっく|backpack|双肩包|旅|cloth|litre|5800|32000
トートバッグ|とーとばっぐ|tote bag|手提袋|旅|cloth|litre|2800|14000
風呂敷|ふろしき|furoshiki|包袱布|旅|cloth|cm|1200|6200
水筒|すいとう|water bottle|水壶|旅|metal|ml|1800|6800
弁当箱|べんとうばこ|lunch box|便当盒|旅|wood|ml|1600|11000
名札|なふだ|luggage tag|行李牌|旅|leather|free|900|3600
首枕|くびまくら|neck pillow|颈枕|旅|cloth|free|1600|5200
スマートフォン|すまーとふぉん|smartphone|智能手机|電気|device|phone|28000|168000
ノートパソコン|のーとぱそこん|laptop|笔记本电脑|電気|device|model|68000|298000
充電器|じゅうでんき|charger|充电器|電気|device|watt|1600|9800
充電ケーブル|じゅうでんけーぶる|charging cable|充电线|電気|device|length|600|3800
モバイルバッテリー|もばいるばってりー|power bank|充电宝|電気|device|mah|2200|12000
炊飯器|すいはんき|rice cooker|电饭煲|電気|device|model|8800|98000
電気ケトル|でんきけとる|electric kettle|电热水壶|電気|device|l|3200|19000
掃除機|そうじき|vacuum cleaner|吸尘器|電気|device|model|9800|88000
デジタルカメラ|でじたるかめら|digital camera|数码相机|電気|device|model|32000|248000
キーボード|きーぼーど|keyboard|键盘|電気|device|model|2400|38000
マウス|まうす|mouse|鼠标|電気|device|model|1200|14000
醤油|しょうゆ|soy sauce|酱油|食べもの|region|ml|400|1900
味噌|みそ|miso|味噌|食べもの|region|g|500|2200
かつお節|かつおぶし|bonito flakes|鲣鱼花|食べもの|region|g|600|2800
海苔|のり|seaweed|海苔|食べもの|region|set|500|3200
米|こめ|rice|大米|食べもの|region|kg|1800|6800
うどん|うどん|udon noodles|乌冬面|食べもの|region|g|400|1600
煎餅|せんべい|rice crackers|煎饼|食べもの|region|set|400|2200
羊羹|ようかん|yokan|羊羹|食べもの|region|set|700|3600
""")

_PLAIN = "手作り|てづくり|handmade|手工"
MADE_OF: Final = {
    "clay": _words("""
常滑焼|とこなめやき|Tokoname|常滑烧
信楽焼|しがらきやき|Shigaraki|信乐烧
備前焼|びぜんやき|Bizen|备前烧
萩焼|はぎやき|Hagi|萩烧
美濃焼|みのやき|Mino|美浓烧
有田焼|ありたやき|Arita|有田烧
波佐見焼|はさみやき|Hasami|波佐见烧
益子焼|ましこやき|Mashiko|益子烧
白磁|はくじ|white porcelain|白瓷
青磁|せいじ|celadon|青瓷
粉引|こひき|kohiki|粉引
染付|そめつけ|blue-and-white|青花
"""),
    "wood": _words("""
檜|ひのき|hinoki|桧木
杉|すぎ|cedar|杉木
欅|けやき|zelkova|榉木
栗|くり|chestnut|栗木
楢|なら|oak|橡木
胡桃|くるみ|walnut|胡桃木
山桜|やまざくら|wild cherry|山樱木
竹|たけ|bamboo|竹
桐|きり|paulownia|桐木
楓|かえで|maple|枫木
漆塗り|うるしぬり|lacquered|漆器
"""),
    "metal": _words("""
銅|どう|copper|铜
真鍮|しんちゅう|brass|黄铜
錫|すず|pewter|锡
ステンレス|すてんれす|stainless steel|不锈钢
チタン|ちたん|titanium|钛
アルミ|あるみ|aluminium|铝
"""),
    "iron": _words("""
南部鉄|なんぶてつ|Nambu iron|南部铁
鋳鉄|ちゅうてつ|cast iron|铸铁
砂鉄|さてつ|sand iron|砂铁
"""),
    "steel": _words("""
青紙鋼|あおがみこう|blue steel|青纸钢
白紙鋼|しろがみこう|white steel|白纸钢
ステンレス|すてんれす|stainless steel|不锈钢
ダマスカス鋼|だますかすこう|Damascus steel|大马士革钢
"""),
    "pan": _words("""
南部鉄|なんぶてつ|Nambu iron|南部铁
銅|どう|copper|铜
琺瑯|ほうろう|enamel|珐琅
アルミ|あるみ|aluminium|铝
ステンレス|すてんれす|stainless steel|不锈钢
"""),
    "cloth": _words("""
麻|あさ|linen|亚麻
綿|めん|cotton|棉
絹|きぬ|silk|丝绸
帆布|はんぷ|canvas|帆布
羊毛|ようもう|wool|羊毛
デニム|でにむ|denim|牛仔布
藍染め|あいぞめ|indigo|蓝染
刺し子|さしこ|sashiko|刺子
今治織|いまばりおり|Imabari|今治织
い草|いぐさ|rush|蔺草
"""),
    "leather": _words("""
牛革|ぎゅうかわ|cowhide|牛皮
馬革|うまかわ|horsehide|马皮
鹿革|しかかわ|deerskin|鹿皮
栃木レザー|とちぎれざー|Tochigi leather|栃木皮革
"""),
    "glass": _words("""
切子|きりこ|cut glass|切子玻璃
耐熱ガラス|たいねつがらす|heat-proof glass|耐热玻璃
琉球ガラス|りゅうきゅうがらす|Ryukyu glass|琉球玻璃
硝子|がらす|glass|玻璃
"""),
    "paper": _words("""
和紙|わし|washi|和纸
再生紙|さいせいし|recycled paper|再生纸
上質紙|じょうしつし|fine paper|优质纸
糸かがり綴じ|いとかがりとじ|thread-bound|线装
"""),
    "pen": _words("""
黒檀|こくたん|ebony|黑檀
真鍮|しんちゅう|brass|黄铜
木軸|もくじく|wooden|木杆
樹脂軸|じゅしじく|resin|树脂
蒔絵|まきえ|maki-e|莳绘
"""),
    "lamp": _words("""
和紙|わし|washi|和纸
真鍮|しんちゅう|brass|黄铜
硝子|がらす|glass|玻璃
"""),
    "audio": _words("""
ワイヤレス|わいやれす|wireless|无线
密閉型|みっぺいがた|closed|封闭式
開放型|かいほうがた|open|开放式
木製|もくせい|wooden|木制
防水|ぼうすい|waterproof|防水
"""),
    "device": _words("""
小型|こがた|compact|小型
軽量|けいりょう|lightweight|轻量
静音|せいおん|quiet|静音
防水|ぼうすい|waterproof|防水
業務用|ぎょうむよう|professional|专业
"""),
    "region": _words("""
宇治|うじ|Uji|宇治
静岡|しずおか|Shizuoka|静冈
鹿児島|かごしま|Kagoshima|鹿儿岛
北海道|ほっかいどう|Hokkaido|北海道
信州|しんしゅう|Shinshu|信州
讃岐|さぬき|Sanuki|赞岐
新潟|にいがた|Niigata|新潟
京都|きょうと|Kyoto|京都
"""),
    "plain": _words(f"""
{_PLAIN}
天然|てんねん|natural|天然
職人|しょくにん|craft|匠人
"""),
}

COLOURS: Final = _words("""
白|しろ|white|白
黒|くろ|black|黑
朱|しゅ|vermilion|朱红
藍|あい|indigo|蓝
鉄紺|てつこん|iron navy|铁绀
鉄色|てついろ|iron green|铁青
松葉|まつば|pine green|松叶绿
若草|わかくさ|grass green|若草
山吹|やまぶき|yamabuki yellow|山吹色
藤色|ふじいろ|wisteria|藤紫
桜色|さくらいろ|cherry pink|樱色
生成り|きなり|natural|原色
鼠色|ねずみいろ|grey|灰色
茶色|ちゃいろ|brown|棕色
瑠璃|るり|lapis|琉璃
浅葱|あさぎ|pale blue|浅葱
金|きん|gold|金
銀|ぎん|silver|银
臙脂|えんじ|crimson|胭脂
墨|すみ|ink black|墨色
""")

# Nobody's: put together from what such houses are called.
_MAKER_FIRSTS: Final = _words("""
灯野|とうの|Touno|灯野
霧坂|きりさか|Kirisaka|雾坂
波守|なみもり|Namimori|波守
風待|かざまち|Kazamachi|风待
月瀬川|つきせがわ|Tsukisegawa|月濑川
雪待|ゆきまち|Yukimachi|雪待
鈴鳴|すずなり|Suzunari|铃鸣
花守|はなもり|Hanamori|花守
星見坂|ほしみざか|Hoshimizaka|星见坂
苔庭|こけにわ|Kokeniwa|苔庭
夕霧|ゆうぎり|Yugiri|夕雾
朝凪|あさなぎ|Asanagi|朝凪
""")
_MAKER_LASTS: Final = _words("""
堂|どう|do|堂
屋|や|ya|屋
工房|こうぼう| Kobo|工房
舎|しゃ|sha|舍
製作所|せいさくしょ| Works|制作所
""")
MAKERS: Final = tuple(
    Word(first.ja + last.ja, first.kana + last.kana, first.en + last.en, first.zh + last.zh)
    for first in _MAKER_FIRSTS
    for last in _MAKER_LASTS
)

# One of the first and one of the second make a description.
FIRST_SENTENCES: Final = (
    "{maker}の職人がひとつずつ仕上げた{thing}です。",
    "毎日の暮らしで使いやすいように形を整えた{thing}です。",
    "{made}ならではの手触りを生かした、飽きのこない{thing}です。",
    "贈りものにも自分用にも選ばれている、{maker}の{thing}です。",
    "{made}の良さが伝わる、静かで落ち着いた佇まいの{thing}です。",
)
COLOURED_SENTENCES: Final = (
    "軽くて丈夫に作った{colour}の{thing}で、長くお使いいただけます。",
    "{made}の良さが伝わる、落ち着いた{colour}の{thing}です。",
)
SECOND_SENTENCES: Final = (
    "使うほどに味わいが増し、手入れも乾いた布で拭くだけで済みます。",
    "傷んだところは直しながら、世代を越えて使い続けられます。",
    "初めての方にも扱いやすく、収納の場所も取りません。",
    "数に限りがありますので、どうぞお早めにお求めください。",
    "専用の箱に納め、使い方を書いた小さな紙を添えてお届けします。",
    "大きさを三つ揃えましたので、用途に合わせてお選びください。",
    "冬の夜にも夏の朝にも、静かに寄り添う品になりました。",
    "届いたその日から使えるように、ひと通りの品を揃えてあります。",
)
