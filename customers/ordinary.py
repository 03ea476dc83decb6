"""Ordinary words one slip away from a word that asks for something: whoever writes one means it.

They are kept for the shipped words, in their plain form (`words.plain`), a line for those near the same few words.
"""

_WORDS = """
step shop slop sop stow stoop stomp strop swop snop sloop story store stock
quiet quite quip quid quits quilt suit
cancer chancel removal removed remover remote move revoked evoke invoke
star stare stars starts smart stark stair startle starch tart
held hell helm helo heap kelp hemp into inf

achia achwa acheni ache achar asha
simamia simame simameni ondoka ondoe ondolewa ondosha komeshwa
anzia anga anda anaza msaidizi

arrete arrets aides aider aidee aime aine aile aise
commence commences

bajo bajar bajas bala baya baza para paras pagar pasar parra parir
algo altos altar altas auto acto apto salar salid salio sali
ayudo ayudas ayudar ayude

توقع توفق وقف موقف الغار الماء الغداء الغذاء الغناء ايقاع اشتري مساعد
"""
ORDINARY = frozenset(_WORDS.split())
